package handlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// object is a Kubernetes object as JSON.
type object = map[string]any

// cluster is what an API server has: the objects by their path, with its rules about versions and about who owns which field.
// Rigs may share one. What it stands in for is tested against a real one in e2e.
type cluster struct {
	mu         sync.Mutex
	objects    map[string]object
	owners     map[string]owners
	version    int
	history    []change
	changed    chan struct{} // closed at the next change
	away       bool
	refuse     func(verb, path string) *status
	poolFields []string          // that the CustomResourceDefinition of CommunicationPool has
	unknown    map[string]bool   // plurals of resources that it does not have
	sick       map[string]object // by the path of a Deployment: the status in which its pods stay
	requests   []string          // such as "GET /api/v1/namespaces/octo/secrets?labelSelector=…"
}

// change is what a watch tells.
type change struct {
	version int
	kind    string // ADDED, MODIFIED, DELETED
	path    string
	object  object
}

// owners are the fields of an object that each manager has set.
type owners map[string]map[string]bool

func newCluster() *cluster {
	return &cluster{
		objects: map[string]object{}, owners: map[string]owners{}, changed: make(chan struct{}), unknown: map[string]bool{}, sick: map[string]object{},
		poolFields: []string{"tenantId", "poolName", "poolRtId", "communicationControllerUri", "brokerHost", "brokerVirtualHost", "brokerPort",
			"ignoreCertificateValidation", "instancePrefix"},
	}
}

// setAway lets the API server be away, or come back. Watches end.
func (k *cluster) setAway(away bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.away = away
	k.wake()
}

func (k *cluster) isAway() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.away
}

// setRefuse lets the API server refuse requests; verb is that of HTTP, path has the query. Nil: none.
func (k *cluster) setRefuse(refuse func(verb, path string) *status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refuse = refuse
}

// lacks lets the API server not know resources, such as "deploymentsites".
func (k *cluster) lacks(plurals ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, plural := range plurals {
		k.unknown[plural] = true
	}
}

// asked counts the requests that begin with verb and path.
func (k *cluster) asked(prefix string) (count int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, request := range k.requests {
		if strings.HasPrefix(request, prefix) {
			count++
		}
	}
	return count
}

// all are the requests so far.
func (k *cluster) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.requests)
}

// get is a copy of an object; nil: there is none.
func (k *cluster) get(path string) object {
	k.mu.Lock()
	defer k.mu.Unlock()
	return clone(k.objects[path])
}

// paths are those of the objects below a prefix, sorted.
func (k *cluster) paths(prefix string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(k.objects)), func(path string) bool { return !strings.HasPrefix(path, prefix) })
}

// put makes or replaces an object, whoever owns it.
func (k *cluster) put(o object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set(pathOf(o), o, "test")
}

// change changes an object by hand.
func (k *cluster) change(path string, by func(object)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := clone(k.objects[path])
	by(o)
	k.set(path, o, "test")
}

func (k *cluster) remove(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(path)
}

// age makes an object look as if it had been made and changed last so long ago.
func (k *cluster) age(path string, by time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := clone(k.objects[path])
	then := time.Now().Add(-by).UTC().Format(time.RFC3339)
	meta := section(o, "metadata")
	meta["creationTimestamp"] = then
	for _, field := range list(meta["managedFields"]) {
		field.(object)["time"] = then
	}
	k.objects[path] = o
}

// secret is a Secret's data, decoded; nil: there is no such Secret.
func (k *cluster) secret(namespace, name string) map[string]string {
	o := k.get("/api/v1/namespaces/" + namespace + "/secrets/" + name)
	if o == nil {
		return nil
	}
	var decoded struct{ Data map[string][]byte }
	text, _ := json.Marshal(o)
	_ = json.Unmarshal(text, &decoded)
	data := map[string]string{}
	for key, value := range decoded.Data {
		data[key] = string(value)
	}
	return data
}

// set stores an object as a manager's. k.mu is held.
func (k *cluster) set(path string, o object, manager string) object {
	o = clone(o)
	old := k.objects[path]
	meta := section(o, "metadata")
	kind := "MODIFIED"
	if old == nil {
		kind = "ADDED"
		if meta["uid"] == nil {
			meta["uid"] = fmt.Sprintf("uid-%d", k.version+1)
		}
		meta["creationTimestamp"] = now()
	} else {
		meta["uid"], meta["creationTimestamp"] = section(old, "metadata")["uid"], section(old, "metadata")["creationTimestamp"]
	}
	k.control(path, o, old)
	k.version++
	meta["resourceVersion"] = fmt.Sprint(k.version)
	fields := slices.DeleteFunc(list(meta["managedFields"]), func(f any) bool { return f.(object)["manager"] == manager })
	meta["managedFields"] = append(fields, object{"manager": manager, "operation": "Apply", "time": now()})
	k.objects[path] = o
	k.tell(change{k.version, kind, path, o})
	return clone(o)
}

// delete deletes an object as somebody does who does not wait: finalizers keep it. k.mu is held.
func (k *cluster) delete(path string) {
	o := clone(k.objects[path])
	if len(list(section(o, "metadata")["finalizers"])) == 0 {
		k.drop(path)
		return
	}
	if section(o, "metadata")["deletionTimestamp"] == nil {
		section(o, "metadata")["deletionTimestamp"] = now()
		k.set(path, o, "test")
	}
}

// deleteByHand deletes an object and does not wait until it is gone.
func (k *cluster) deleteByHand(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delete(path)
}

// release removes all finalizers of an object, as whoever has put them there does.
func (k *cluster) release(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := clone(k.objects[path])
	delete(section(o, "metadata"), "finalizers")
	if section(o, "metadata")["deletionTimestamp"] != nil {
		k.drop(path)
		return
	}
	k.set(path, o, "test")
}

// drop removes an object. k.mu is held.
func (k *cluster) drop(path string) {
	o := k.objects[path]
	if o == nil {
		return
	}
	delete(k.objects, path)
	delete(k.owners, path)
	k.version++
	k.tell(change{k.version, "DELETED", path, o})
}

func (k *cluster) tell(c change) {
	k.history = append(k.history, c)
	k.wake()
}

func (k *cluster) wake() {
	close(k.changed)
	k.changed = make(chan struct{})
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// apply is a server-side apply: what the manager had set before and does not set any more goes; what another one has set to
// something else is a conflict, unless it is forced. k.mu is held.
func (k *cluster) apply(path string, wanted object, manager string, force, dry bool) (object, *status) {
	merged := clone(k.objects[path])
	if merged == nil {
		merged = object{}
	}
	all, fields := owners{}, leaves(wanted)
	for name, owned := range k.owners[path] {
		all[name] = maps.Clone(owned)
	}
	var conflicts []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		for _, other := range slices.Sorted(maps.Keys(all)) {
			differs := fmt.Sprint(at(merged, field)) != fmt.Sprint(fields[field])
			if other != manager && all[other][field] && differs {
				conflicts = append(conflicts, fmt.Sprintf(`conflict with %q: %s`, other, dotted(field)))
			}
		}
	}
	if len(conflicts) > 0 && !force {
		return nil, &status{409, "Conflict", fmt.Sprintf("Apply failed with %d conflict(s): %s", len(conflicts), strings.Join(conflicts, "\n"))}
	}
	for field, value := range fields { // whoever is of another mind loses it
		for other := range all {
			if fmt.Sprint(at(merged, field)) != fmt.Sprint(value) {
				delete(all[other], field)
			}
		}
	}
	for field := range all[manager] {
		if _, kept := fields[field]; !kept && !all.others(manager, field) {
			unset(merged, strings.Split(field, "\x00"))
		}
	}
	all[manager] = map[string]bool{}
	for field, value := range fields {
		all[manager][field] = true
		assign(merged, strings.Split(field, "\x00"), value)
	}
	for _, key := range []string{"apiVersion", "kind"} {
		merged[key] = wanted[key]
	}
	for _, key := range []string{"name", "namespace"} {
		section(merged, "metadata")[key] = section(wanted, "metadata")[key]
	}
	if dry {
		return merged, nil
	}
	k.owners[path] = all
	return k.set(path, merged, manager), nil
}

// others tells whether anybody else owns a field.
func (o owners) others(manager, field string) bool {
	for name, fields := range o {
		if name != manager && fields[field] {
			return true
		}
	}
	return false
}

// owns makes a manager the owner of what a patch has set, as an update does: it takes the fields from everybody.
func (k *cluster) owns(path, manager string, patch object) {
	if k.owners[path] == nil {
		k.owners[path] = owners{}
	}
	for field := range leaves(patch) {
		for _, fields := range k.owners[path] {
			delete(fields, field)
		}
		if k.owners[path][manager] == nil {
			k.owners[path][manager] = map[string]bool{}
		}
		k.owners[path][manager][field] = true
	}
}

// leaves are the fields of an object that somebody can own: whatever is no map, lists as a whole.
func leaves(o object) map[string]any {
	found := map[string]any{}
	var walk func(prefix string, value any)
	walk = func(prefix string, value any) {
		m, ok := value.(object)
		if !ok || len(m) == 0 {
			found[prefix] = value
			return
		}
		for key, inner := range m {
			walk(prefix+"\x00"+key, inner)
		}
	}
	for key, value := range o {
		if key != "apiVersion" && key != "kind" && key != "metadata" {
			walk(key, value)
		}
	}
	for _, key := range []string{"labels", "annotations"} {
		if m, ok := section(o, "metadata")[key].(object); ok {
			walk("metadata\x00"+key, m)
		}
	}
	return found
}

func dotted(field string) string { return "." + strings.ReplaceAll(field, "\x00", ".") }

// at is a field's value, by keys that \x00 divides.
func at(o object, field string) any {
	var value any = o
	for key := range strings.SplitSeq(field, "\x00") {
		m, _ := value.(object)
		value = m[key]
	}
	return value
}

func assign(o object, keys []string, value any) {
	if len(keys) == 1 {
		o[keys[0]] = value
		return
	}
	assign(section(o, keys[0]), keys[1:], value)
}

func unset(o object, keys []string) {
	if len(keys) == 1 {
		delete(o, keys[0])
		return
	}
	if inner, ok := o[keys[0]].(object); ok {
		unset(inner, keys[1:])
	}
}

// section is a map within an object, made where there is none.
func section(o object, key string) object {
	inner, ok := o[key].(object)
	if !ok {
		inner = object{}
		o[key] = inner
	}
	return inner
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

func clone(o object) object {
	if o == nil {
		return nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var c object
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	return c
}

// mergePatch is RFC 7396.
func mergePatch(into, patch object) {
	for key, value := range patch {
		inner, isMap := value.(object)
		switch {
		case value == nil:
			delete(into, key)
		case isMap:
			mergePatch(section(into, key), inner)
		default:
			into[key] = value
		}
	}
}
