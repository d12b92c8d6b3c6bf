package handlers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// status is an answer of the API server that is no success.
type status struct {
	code            int
	reason, message string
}

// tunnels are the connections that come through kubectl proxy.
type tunnels struct {
	conns chan net.Conn
	done  chan struct{}
}

func newTunnels() *tunnels { return &tunnels{make(chan net.Conn), make(chan struct{})} }

// hand gives a connection to the server, if that still takes any.
func (t *tunnels) hand(conn net.Conn) bool {
	select {
	case t.conns <- conn:
		return true
	case <-t.done:
		return false
	}
}

// Accept implements net.Listener.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.conns:
		return conn, nil
	case <-t.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It is called once.
func (t *tunnels) Close() error { close(t.done); return nil }

// Addr implements net.Listener.
func (t *tunnels) Addr() net.Addr { return &net.UnixAddr{Name: "tunnels", Net: "unix"} }

const refused = "dial tcp 127.0.0.1:6443: connect: connection refused"

// ServeHTTP is the API server, or kubectl proxy where that is away.
func (k *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.requests = append(k.requests, r.Method+" "+r.URL.RequestURI())
	away, refuse := k.away, k.refuse
	k.mu.Unlock()
	if away {
		http.Error(w, refused, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Audit-Id", "x") // kubectl proxy's own answers have none
	if refuse != nil {
		if s := refuse(r.Method, r.URL.RequestURI()); s != nil {
			s.write(w)
			return
		}
	}
	at, known := parsePath(r.URL.Path)
	k.mu.Lock()
	known = known && !k.unknown[at.plural]
	k.mu.Unlock()
	switch {
	case r.URL.Path == "/readyz" || r.URL.Path == "/livez":
		fmt.Fprint(w, "ok")
	case strings.HasPrefix(r.URL.Path, "/openapi/v3/apis/"):
		writeJSON(w, 200, k.published())
	case !known:
		http.Error(w, "404 page not found", http.StatusNotFound)
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		k.watch(w, r, at)
	default:
		code, answer, failure := k.answer(r, at)
		if failure != nil {
			failure.write(w)
			return
		}
		writeJSON(w, code, answer)
	}
}

func (s *status) write(w http.ResponseWriter) {
	writeJSON(w, s.code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": s.code, "reason": s.reason, "message": s.message})
}

func writeJSON(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

// resource is what a path names.
type resource struct{ api, namespace, plural, name, sub string }

func parsePath(path string) (resource, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var r resource
	switch {
	case parts[0] == "api" && len(parts) > 2:
		r.api, parts = "/"+strings.Join(parts[:2], "/"), parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		r.api, parts = "/"+strings.Join(parts[:3], "/"), parts[3:]
	default:
		return r, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		r.namespace, parts = parts[1], parts[2:]
	}
	for i, into := range []*string{&r.plural, &r.name, &r.sub} {
		if i < len(parts) {
			*into = parts[i]
		}
	}
	return r, true
}

func (r resource) collection() string {
	if r.namespace == "" {
		return r.api + "/" + r.plural
	}
	return r.api + "/namespaces/" + r.namespace + "/" + r.plural
}

func (r resource) path() string { return r.collection() + "/" + r.name }

// holds tells whether an object's path is in the collection; without a namespace, in any.
func (r resource) holds(path string) bool {
	other, ok := parsePath(path)
	return ok && other.api == r.api && other.plural == r.plural && (r.namespace == "" || r.namespace == other.namespace)
}

func (r resource) notFound() *status {
	return &status{404, "NotFound", fmt.Sprintf("%s %q not found", r.plural, r.name)}
}

// pathOf is where an object lies.
func pathOf(o object) string {
	meta := section(o, "metadata")
	api := "/apis/" + fmt.Sprint(o["apiVersion"])
	if !strings.Contains(api[len("/apis/"):], "/") {
		api = "/api/" + fmt.Sprint(o["apiVersion"])
	}
	namespace, _ := meta["namespace"].(string)
	return resource{api: api, namespace: namespace, plural: pluralOf(fmt.Sprint(o["kind"])), name: fmt.Sprint(meta["name"])}.path()
}

func pluralOf(kind string) string {
	lower := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(lower, "s"):
		return lower + "es"
	case strings.HasSuffix(lower, "y"):
		return strings.TrimSuffix(lower, "y") + "ies"
	}
	return lower + "s"
}

// answer carries out anything but a watch.
func (k *cluster) answer(r *http.Request, at resource) (int, any, *status) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, &status{400, "BadRequest", err.Error()}
	}
	body := object{}
	if err := yaml.Unmarshal(text, &body); err != nil {
		return 0, nil, &status{400, "BadRequest", err.Error()}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.objects[at.path()]
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && at.name == "":
		return k.list(r, at)
	case r.Method == http.MethodPost:
		return k.create(at, body, query)
	case r.Method == http.MethodPatch && old == nil && (at.sub != "" || !strings.Contains(r.Header.Get("Content-Type"), "apply-patch")),
		r.Method != http.MethodPatch && old == nil:
		return 0, nil, at.notFound()
	case r.Method == http.MethodGet:
		return 200, view(r, old), nil
	case r.Method == http.MethodPatch:
		return k.patch(r, at, body, query)
	}
	conditions := section(body, "metadata")
	if r.Method == http.MethodDelete {
		conditions = section(body, "preconditions")
	}
	for _, key := range []string{"resourceVersion", "uid"} {
		if wanted := conditions[key]; wanted != nil && wanted != section(old, "metadata")[key] {
			return 0, nil, &status{409, "Conflict", fmt.Sprintf("Operation cannot be fulfilled on %s %q: the object has been modified; please apply your changes to the latest version and try again", at.plural, at.name)}
		}
	}
	if r.Method == http.MethodDelete {
		if dry(query) {
			return 200, old, nil
		}
		k.delete(at.path())
		return 200, object{"kind": "Status", "apiVersion": "v1", "status": "Success"}, nil
	}
	if dry(query) {
		return 200, body, nil
	}
	return 200, k.set(at.path(), body, manager(query, "unknown")), nil
}

func dry(query url.Values) bool { return query.Get("dryRun") == "All" }

func manager(query url.Values, otherwise string) string {
	if name := query.Get("fieldManager"); name != "" {
		return name
	}
	return otherwise
}

func (k *cluster) create(at resource, body object, query url.Values) (int, any, *status) {
	name, _ := section(body, "metadata")["name"].(string)
	if name == "" {
		name = fmt.Sprint(section(body, "metadata")["generateName"], k.version)
		section(body, "metadata")["name"] = name
	}
	at.name = name
	if k.objects[at.path()] != nil {
		return 0, nil, &status{409, "AlreadyExists", fmt.Sprintf("%s %q already exists", at.plural, name)}
	}
	section(body, "metadata")["namespace"] = at.namespace
	if dry(query) {
		return 201, body, nil
	}
	return 201, k.set(at.path(), body, manager(query, "unknown")), nil
}

func (k *cluster) patch(r *http.Request, at resource, body object, query url.Values) (int, any, *status) {
	path, old := at.path(), k.objects[at.path()]
	if at.sub == "status" {
		o := clone(old)
		o["status"] = body["status"]
		return 200, k.set(path, o, manager(query, "unknown")), nil
	}
	if strings.Contains(r.Header.Get("Content-Type"), "apply-patch") {
		if wanted := section(body, "metadata")["resourceVersion"]; old != nil && wanted != nil && wanted != section(old, "metadata")["resourceVersion"] {
			return 0, nil, &status{409, "Conflict", "the object has been modified"}
		}
		o, failure := k.apply(path, body, manager(query, ""), query.Get("force") == "true", dry(query))
		return 200, o, failure
	}
	o := clone(old)
	if wanted := section(body, "metadata")["resourceVersion"]; wanted != nil && wanted != section(old, "metadata")["resourceVersion"] {
		return 0, nil, &status{409, "Conflict", "the object has been modified"}
	}
	mergePatch(o, body)
	if dry(query) {
		return 200, o, nil
	}
	who := manager(query, "kubectl-patch")
	k.owns(path, who, body)
	if meta := section(o, "metadata"); meta["deletionTimestamp"] != nil && len(list(meta["finalizers"])) == 0 {
		k.drop(path)
		return 200, o, nil
	}
	return 200, k.set(path, o, who), nil
}

// published is what the API server publishes of the kinds of pools.
func (k *cluster) published() object {
	k.mu.Lock()
	defer k.mu.Unlock()
	fields := object{}
	for _, name := range k.poolFields {
		fields[name] = object{}
	}
	return object{"components": object{"schemas": object{"pool": object{
		"properties":                      object{"spec": object{"properties": fields}},
		"x-kubernetes-group-version-kind": []object{{"kind": "CommunicationPool"}},
	}}}}
}

func (k *cluster) list(r *http.Request, at resource) (int, any, *status) {
	matches, err := selectorOf(r.URL.Query())
	if err != nil {
		return 0, nil, &status{400, "BadRequest", err.Error()}
	}
	items := []any{}
	for path, o := range k.objects {
		if at.holds(path) && matches(o) {
			items = append(items, view(r, o))
		}
	}
	slices.SortFunc(items, func(a, b any) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return 200, object{"kind": "List", "apiVersion": "v1", "metadata": object{"resourceVersion": fmt.Sprint(k.version)}, "items": items}, nil
}

func nameOf(o any) string {
	meta := section(o.(object), "metadata")
	return fmt.Sprint(meta["namespace"], "/", meta["name"])
}

// view is an object as it was asked for: whole, or its metadata alone.
func view(r *http.Request, o object) object {
	if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
		return object{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": clone(section(o, "metadata"))}
	}
	return clone(o)
}

// selectorOf reads labelSelector and fieldSelector.
func selectorOf(query url.Values) (func(object) bool, error) {
	var tests []func(object) bool
	for term := range strings.SplitSeq(query.Get("labelSelector"), ",") {
		if term == "" {
			continue
		}
		if strings.ContainsAny(term, "() ") {
			return nil, errors.New("the fake API server cannot select by " + term)
		}
		tests = append(tests, compare(term, func(o object, key string) any {
			labels, _ := section(o, "metadata")["labels"].(object)
			return labels[key]
		}))
	}
	for term := range strings.SplitSeq(query.Get("fieldSelector"), ",") {
		if term != "" {
			tests = append(tests, compare(term, func(o object, key string) any { return at(o, strings.ReplaceAll(key, ".", "\x00")) }))
		}
	}
	return func(o object) bool {
		return !slices.ContainsFunc(tests, func(test func(object) bool) bool { return !test(o) })
	}, nil
}

// compare is one term of a selector: key=value, key!=value, key or !key.
func compare(term string, value func(object, string) any) func(object) bool {
	if key, want, ok := strings.Cut(term, "!="); ok {
		return func(o object) bool { return value(o, key) != want }
	}
	if key, want, ok := strings.Cut(term, "="); ok {
		want = strings.TrimPrefix(want, "=")
		return func(o object) bool { return value(o, key) == want }
	}
	if key, ok := strings.CutPrefix(term, "!"); ok {
		return func(o object) bool { return value(o, key) == nil }
	}
	return func(o object) bool { return value(o, term) != nil }
}

// watch tells changes after a version until the client goes or the API server does.
func (k *cluster) watch(w http.ResponseWriter, r *http.Request, at resource) {
	matches, err := selectorOf(r.URL.Query())
	if err != nil {
		(&status{400, "BadRequest", err.Error()}).write(w)
		return
	}
	var after int
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &after)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush()
	for told := 0; ; {
		k.mu.Lock()
		news, changed, away := k.history[told:], k.changed, k.away
		told = len(k.history)
		k.mu.Unlock()
		if away {
			return
		}
		for _, c := range news {
			if c.version > after && at.holds(c.path) && matches(c.object) {
				_ = json.NewEncoder(w).Encode(object{"type": c.kind, "object": c.object})
			}
		}
		_ = out.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// request is what the fake tools send: the same way as everybody.
func (k *cluster) request(method, path, contentType string, body any) (object, *status) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			panic(err)
		}
	}
	r := httptest.NewRequest(method, path, strings.NewReader(string(text)))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	var answer object
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	if w.Code/100 == 2 {
		return answer, nil
	}
	s := &status{code: w.Code, message: strings.TrimSpace(w.Body.String())}
	if answer != nil {
		s.reason, s.message = fmt.Sprint(answer["reason"]), fmt.Sprint(answer["message"])
	}
	return nil, s
}
