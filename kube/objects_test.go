package kube

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// rendered is what helm template prints of a small chart.
const rendered = `---
# Source: shop/templates/configmap.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
data:
  text: |
    kind: Pod
     ---
---
# Source: shop/templates/nothing.yaml
--- # the next one

# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: other
`

func TestTheObjectsOfAManifest(t *testing.T) {
	pod := Object{"v1", "Pod", "octo", "a"}
	for _, test := range []struct {
		name, manifest string
		want           []Object
	}{
		{"nothing", "", nil},
		{"comments only", "# a\n---\n\n---\n  # b", nil},
		{"documents that are null", "---\nnull\n---\n~", nil},
		{"what helm template prints", rendered, []Object{{"v1", "ConfigMap", "octo", "shop"}, {"apps/v1", "Deployment", "other", "shop"}}},
		{"lines that end as on Windows", "apiVersion: v1\r\nkind: Pod\r\nmetadata: {name: a}\r\n---\r\n# end\r\n", []Object{pod}},
		{"a document end", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n...\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}", []Object{pod, pod}},
		{"JSON", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`, []Object{pod}},
		{"what looks like a marker and is none", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---a: b", []Object{pod}},
		{"a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}",
			[]Object{pod, {"v1", "Pod", "octo", "b"}}},
		{"a list of a kind", "apiVersion: v1\nkind: ConfigMapList\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]", []Object{{"v1", "ConfigMap", "octo", "a"}}},
		{"a hook", "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: a\n  annotations: {helm.sh/hook: pre-install}", nil},
		{"a name that the API server makes", "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", nil},
		{"aliases", "apiVersion: v1\nkind: Pod\nmetadata: &m {name: &n a}\nspec: {m: *m, n: *n}", []Object{pod}},
		{"an object that is an alias", "x: &p {apiVersion: v1, kind: Pod, metadata: {name: a}}\napiVersion: v1\nkind: List\nitems: [*p, *p]", []Object{pod, pod}},
		{"fields that are merged in", "x: &x {kind: Pod, metadata: &m {name: b, namespace: other}}\napiVersion: v1\n<<: *x\nmetadata: {<<: [*m], name: a, namespace: octo}", []Object{pod}},
		{"fields that are merged in twice", "x: &x {kind: Pod}\napiVersion: v1\n<<: *x\nkind: Job\n<<: *x\nmetadata: {name: a}", []Object{pod}},
		{"fields that are merged in through others", "x: &x {kind: Pod}\nz: &z {kind: Job, <<: *x}\napiVersion: v1\n<<: [*z, *x]\nmetadata: {name: a}", []Object{pod}},
		{"a list that is merged in", "<<: [{items: [{<<: {apiVersion: v1, kind: Pod}, metadata: {name: a}}]}, {items: []}]\napiVersion: v1\nkind: List", []Object{pod}},
		{"fields that come twice", "apiVersion: v1\nkind: Job\nkind: Pod\nmetadata: {name: b}\nmetadata: {name: a, annotations: {helm.sh/hook: test}, annotations: {}}", []Object{pod}},
		{"a hook whose annotations come twice", "apiVersion: v1\nkind: Job\nmetadata: {name: b, annotations: {a: b}, annotations: {helm.sh/hook: test}}", nil},
		{"a mapping that merges itself", "&x {<<: *x, apiVersion: v1, kind: Pod, metadata: {name: a}}", []Object{pod}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Objects([]byte(test.manifest), "octo")
			if diff := gocmp.Diff(test.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestAManifestThatCannotBeReadSaysWhere(t *testing.T) {
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: "
	for _, test := range []struct{ name, manifest, want string }{
		{"no YAML", rendered + "---\na: [", "document 3: yaml: line 2: did not find"},
		{"no kind", "apiVersion: v1", `document 1: its kind cannot be ""`},
		{"an item without a version", "apiVersion: v1\nkind: List\nitems: [{kind: Pod, metadata: {name: a}}]", `document 1: item 1: its apiVersion cannot be ""`},
		{"a name that leaves the path", "apiVersion: v1\nkind: Pod\nmetadata: {name: ../secrets}", `its metadata.name cannot be "../secrets"`},
		{"a namespace that leaves the path", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ..}", `its metadata.namespace cannot be ".."`},
		{"a version that leaves the path", "apiVersion: a/b/c\nkind: Pod\nmetadata: {name: a}", `its apiVersion cannot be "b/c"`},
		{"too long", strings.Repeat(" ", bounds.Manifest+1), "it has 16777217 bytes, more than 16777216"},
		{"too many nodes", head + "[" + strings.Repeat("1,", bounds.ObjectPlaces) + "]", "it has 131079 places at which a value may begin"},
		{"too many nodes, without a space", head + "\n" + strings.Repeat("-\r", bounds.ObjectPlaces), "the manifest so far"},
		{"too many nodes in all", strings.Repeat("null #"+strings.Repeat(",", bounds.ObjectPlaces-20)+"\n---\n", 9), "document 9: it has 131052 places at which a value may begin, the manifest so far"},
		{"too many documents", strings.Repeat("null\n---\n", bounds.Objects+1), "it has more than 10000 documents"},
		{"too many objects", "x: &p {apiVersion: v1, kind: Pod, metadata: {name: a}}\napiVersion: v1\nkind: List\nitems: [" + strings.Repeat("*p,", bounds.Objects+1) + "]",
			"there are more than 10000 objects"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Objects([]byte(test.manifest), "octo")
			if err == nil || !strings.HasPrefix(err.Error(), "cannot read the manifest: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestAliasesAreNotExpanded(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 30 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 10))
	}
	got, err := Objects([]byte(bomb+"apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {x: *a30}}"), "octo")
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

// FuzzObjects compares Objects with helm's YAML reader, and checks that the names cannot change the path of a URL.
func FuzzObjects(f *testing.F) {
	for _, seed := range []string{
		rendered, "a: &a {<<: *a}", "apiVersion: v1\nkind: List\nitems: &i [*i, {kind: Pod}]", "--- |\n ---\n...\n%YAML 1.2\n---\n? -\n: !!binary x",
		"\xff\xfea\x00", "kind: [Pod]\nmetadata: name", "- a\r- b\u0085- c\u2028? d", "{a,b: [c, : d]}", "apiVersion: a/v1\nkind: K\nmetadata: {name: \"a\\u0000%2f\"}",
		"apiVersion: v1\n<<: {kind: Pod}\nmetadata: {name: a, name: b, annotations: {helm.sh/hook: x}, annotations: {}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		objects, err := Objects(manifest, "octo")
		if err != nil && objects != nil {
			t.Errorf("both %v and %v", objects, err)
		}
		for _, o := range objects {
			path := o.path(resourceName{"things", true})
			u, err := url.Parse("http://localhost" + path)
			if err != nil || u.RequestURI() != path || u.JoinPath().EscapedPath() != path {
				t.Errorf("%q is asked for at %q: %v", o, path, err)
			}
		}
		if want, known := helmsObjects(manifest); err == nil && known && !slices.Equal(objects, want) {
			t.Errorf("got %+v, helm reads %+v", objects, want)
		}
	})
}

// helmsObjects returns the objects of a manifest as helm's YAML reader returns them. false: the results cannot be compared, because helm reads the
// manifest differently: it is no YAML, has several documents in one, or values that are no texts.
func helmsObjects(manifest []byte) (all []Object, known bool) {
	if bytes.Contains(manifest, []byte("...")) || bytes.IndexByte(manifest, '%') >= 0 {
		return nil, false
	}
	for document := range documents(manifest) {
		var read any
		if yaml.Unmarshal(document, &read) != nil {
			return nil, false
		}
		if read == nil {
			continue
		}
		found := []any{read}
		if list, is := read.(map[string]any); is {
			kind, _ := list["kind"].(string)
			if items, is := list["items"].([]any); is && strings.HasSuffix(kind, "List") {
				found = items
			}
		}
		for _, one := range found {
			o, ok := helmsObject(one)
			if !ok {
				return nil, false
			}
			if o.Name != "" {
				all = append(all, o)
			}
		}
	}
	return all, true
}

// helmsObject has no name if it is a hook, which helm applies separately, or if the API server generates the name.
func helmsObject(read any) (o Object, ok bool) {
	object, ok := read.(map[string]any)
	if !ok {
		return o, false
	}
	metadata, hasMetadata := object["metadata"].(map[string]any)
	annotations, annotated := metadata["annotations"].(map[string]any)
	text := func(fields map[string]any, key string) string {
		text, is := fields[key].(string)
		ok = ok && (is || fields[key] == nil)
		return text
	}
	o = Object{text(object, "apiVersion"), text(object, "kind"), cmp.Or(text(metadata, "namespace"), "octo"), text(metadata, "name")}
	if _, hook := annotations["helm.sh/hook"]; hook {
		o.Name = ""
	}
	return o, ok && (hasMetadata || object["metadata"] == nil) && (annotated || metadata["annotations"] == nil)
}
