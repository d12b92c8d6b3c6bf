package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// kubectl sends what the real one would, and says what came of it in its words.
func (r *rig) kubectl(c *call) int {
	switch c.word(0) {
	case "version":
		c.print("Client Version: v1.35.0\nKustomize Version: v5.7.1\n")
		return 0
	case "proxy":
		c.send(map[string]string{"serve": c.flag("unix-socket")})
		<-c.gone
		return 0
	case "apply", "create", "replace":
		return r.kubectlApply(c)
	case "delete":
		return r.kubectlDelete(c)
	case "get":
		return r.kubectlGet(c)
	case "patch", "rollout":
		return r.kubectlPatch(c)
	}
	return c.fail("the fake kubectl cannot %s", strings.Join(c.args, " "))
}

// apis of the kinds that kubectl knows by their plural alone.
var apis = map[string]string{
	"secrets": "/api/v1", "pods": "/api/v1", "events": "/api/v1", "configmaps": "/api/v1", "services": "/api/v1", "namespaces": "/api/v1",
	"deployments": "/apis/apps/v1", "statefulsets": "/apis/apps/v1", "daemonsets": "/apis/apps/v1", "replicasets": "/apis/apps/v1",
	"jobs": "/apis/batch/v1", "leases": "/apis/coordination.k8s.io/v1",
	"communicationpools": "/apis/octo-mesh.meshmakers.io/v1alpha1", "deploymentsites": "/apis/octo-mesh.meshmakers.io/v1",
}

// named is what a person calls a resource: secret, deployment.apps, communicationpools.octo-mesh.meshmakers.io.
func named(namespace, kind, name string) resource {
	plural, _, _ := strings.Cut(strings.ToLower(kind), ".")
	if apis[plural] == "" {
		plural = pluralOf(plural)
	}
	return resource{api: apis[plural], namespace: namespace, plural: plural, name: name}
}

// targets are the words after the verb: KIND NAME…, KIND,KIND NAME… or KIND/NAME….
func (c *call) targets(words []string) (all []resource) {
	if len(words) > 0 && strings.Contains(words[0], "/") {
		for _, word := range words {
			kind, name, _ := strings.Cut(word, "/")
			all = append(all, named(c.namespace(), kind, name))
		}
		return all
	}
	for kind := range strings.SplitSeq(words[0], ",") {
		if len(words) == 1 {
			all = append(all, named(c.namespace(), kind, ""))
		}
		for _, name := range words[1:] {
			all = append(all, named(c.namespace(), kind, name))
		}
	}
	return all
}

// failed says an answer as kubectl does.
func (c *call) failed(s *status) int {
	if s.code == 500 && s.reason == "" {
		c.say("The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?")
		return 1
	}
	c.say("Error from server (%s): %s", s.reason, s.message)
	return 1
}

// objects are those of the files that -f names.
func (c *call) objects() (all []object, err error) {
	for _, file := range c.flags["filename"] {
		text := []byte(nil)
		if file == "-" {
			text = c.stdin()
		} else if text, err = os.ReadFile(c.path(file)); err != nil {
			return nil, err
		}
		for document := range strings.SplitSeq("\n"+string(text), "\n---") {
			var o object
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				return nil, err
			}
			if o == nil {
				continue
			}
			if section(o, "metadata")["namespace"] == nil {
				section(o, "metadata")["namespace"] = c.namespace()
			}
			all = append(all, o)
		}
	}
	return all, nil
}

func (r *rig) kubectlApply(c *call) int {
	all, err := c.objects()
	if err != nil {
		return c.fail("%s", err)
	}
	query := url.Values{}
	if c.dry() {
		query.Set("dryRun", "All")
	}
	query.Set("fieldManager", c.manager("kubectl"))
	query.Set("force", fmt.Sprint(c.has("force-conflicts")))
	done := map[string]string{"apply": "serverside-applied", "create": "created", "replace": "replaced"}[c.word(0)]
	code := 0
	for _, o := range all {
		method, path, kind := "PATCH", pathOf(o), "application/apply-patch+yaml"
		switch c.word(0) {
		case "create":
			method, path, kind = "POST", path[:strings.LastIndex(path, "/")], "application/json"
		case "replace":
			method, kind = "PUT", "application/json"
		}
		if _, s := r.cluster.request(method, path+"?"+query.Encode(), kind, o); s != nil {
			code = c.failed(s)
			continue
		}
		c.print("%s/%s %s\n", strings.ToLower(fmt.Sprint(o["kind"])), section(o, "metadata")["name"], done)
	}
	return code
}

func (c *call) manager(otherwise string) string {
	if c.has("field-manager") {
		return c.flag("field-manager")
	}
	return otherwise
}

func (r *rig) kubectlDelete(c *call) int {
	code := 0
	for _, target := range c.targets(c.words[1:]) {
		paths := []string{target.path()}
		if target.name == "" {
			items, s := r.cluster.request("GET", target.collection()+"?labelSelector="+url.QueryEscape(c.flag("selector")), "", nil)
			if s != nil {
				return c.failed(s)
			}
			paths = nil
			for _, o := range list(items["items"]) {
				paths = append(paths, pathOf(o.(object)))
			}
		}
		for _, path := range paths {
			if _, s := r.cluster.request("DELETE", path, "", nil); s != nil && (s.code != 404 || !c.has("ignore-not-found")) {
				code = c.failed(s)
			} else if s == nil {
				c.print("%s %q deleted\n", target.plural, path[strings.LastIndex(path, "/")+1:])
			}
		}
	}
	return code
}

func (r *rig) kubectlGet(c *call) int {
	if c.has("raw") {
		answer, s := r.cluster.request("GET", c.flag("raw"), "", nil)
		if s != nil {
			return c.failed(s)
		}
		c.print("%s\n", asJSON(answer))
		return 0
	}
	var found []any
	for _, target := range c.targets(c.words[1:]) {
		path := target.path()
		if target.name == "" {
			path = target.collection() + "?labelSelector=" + url.QueryEscape(c.flag("selector"))
		}
		answer, s := r.cluster.request("GET", path, "", nil)
		switch {
		case s != nil && s.code == 404 && c.has("ignore-not-found"):
		case s != nil:
			return c.failed(s)
		case target.name == "":
			found = append(found, list(answer["items"])...)
		default:
			found = append(found, answer)
		}
	}
	c.show(found)
	return 0
}

func (c *call) show(found []any) {
	switch c.flag("output") {
	case "json":
		if len(found) == 1 && len(c.words) > 2 {
			c.print("%s\n", asJSON(found[0]))
			return
		}
		c.print("%s\n", asJSON(object{"apiVersion": "v1", "kind": "List", "items": found}))
	default: // name, or what a person would read
		for _, o := range found {
			name := strings.ToLower(fmt.Sprint(o.(object)["kind"]))
			if group, _, ok := strings.Cut(fmt.Sprint(o.(object)["apiVersion"]), "/"); ok {
				name += "." + group
			}
			c.print("%s/%s\n", name, section(o.(object), "metadata")["name"])
		}
	}
}

// kubectlPatch is patch and rollout restart.
func (r *rig) kubectlPatch(c *call) int {
	words, patch := c.words[1:], c.flag("patch")
	if c.word(0) == "rollout" {
		if c.word(1) != "restart" {
			return 0 // status: everything is rolled out
		}
		words = c.words[2:]
		patch = fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().UTC().Format(time.RFC3339Nano))
	}
	var body object
	if err := json.Unmarshal([]byte(patch), &body); err != nil {
		return c.fail("unable to parse %q: %s", patch, err)
	}
	query := url.Values{"fieldManager": {c.manager("kubectl-" + c.word(0))}}
	if c.dry() {
		query.Set("dryRun", "All")
	}
	for _, target := range c.targets(words) {
		if _, s := r.cluster.request("PATCH", target.path()+"?"+query.Encode(), "application/merge-patch+json", body); s != nil {
			return c.failed(s)
		}
		c.print("%s/%s patched\n", target.plural, target.name)
	}
	return 0
}
