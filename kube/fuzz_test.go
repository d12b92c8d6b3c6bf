package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// However a chart writes a Secret in its manifest, none of the Secret's values may remain, whether this package or helm reads the result.
func FuzzWithoutSecrets(f *testing.F) {
	for _, seed := range []string{
		rendered, "kind: Secret\nstringData: {a: m4rk3r}", "kind: Secret\ndata: &d {a: m4rk3r}\n---\nkind: ConfigMap\ndata: {a: b}",
		"kind: List\nitems:\n- kind: Secret\n  stringData: {a: m4rk3r}", "kind: secret\nstringData: [m4rk3r]", "kind: Secret # m4rk3r\nstringData: m4rk3r",
		"{kind: Secret, kind: ConfigMap, stringData: {a: m4rk3r}}", "kind: Secret\nstringData:\n  ? m4rk3r\n  : x",
		"x: &x {kind: Secret, stringData: {a: m4rk3r}}\n<<: [*x, {a: b}]", "kind: !!binary U2VjcmV0\n!!binary ZGF0YQ==: {a: m4rk3r}", "kind: SecretList\nitems: [{kind: List, items: [{kind: Secret, data: {a: m4rk3r}}]}]",
		"\ufeffkind: Secret\nstringData: {a: \"m4rk\\u0033r\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		clean, secrets, err := WithoutSecrets(manifest, "REMOVED", asItIs)
		if err != nil {
			if clean != nil || secrets != nil {
				t.Errorf("both %v and %q", err, clean)
			}
			return
		}
		if _, more, err := WithoutSecrets(clean, "REMOVED", asItIs); err != nil && bytes.IndexByte(manifest, '%') >= 0 {
			return // the library writes a tag such as !%21 as !!, which it does not read: helm and kubectl know no such tags
		} else if err != nil {
			t.Errorf("cannot read what was written: %v\n%s", err, clean)
		} else if strings.Trim(strings.Join(more, ""), " \nREMOVD") != "" {
			t.Errorf("%q is still in it:\n%s", more, clean)
		}
		for document := range documents(clean) {
			var read any
			if yaml.Unmarshal(document, &read) == nil {
				wantNoSecret(t, read, clean)
			}
		}
	})
}

// wantNoSecret checks an object as helm's YAML reader returns it.
func wantNoSecret(t *testing.T, read any, clean []byte) {
	object, _ := read.(map[string]any)
	items, _ := object["items"].([]any)
	for _, item := range items {
		wantNoSecret(t, item, clean)
	}
	if kind, _ := object["kind"].(string); strings.EqualFold(kind, "Secret") {
		for _, values := range []any{object["data"], object["stringData"]} {
			if text := fmt.Sprint(slices.Collect(scalars(values))); strings.Trim(text, "[] REMOVD") != "" {
				t.Errorf("helm still reads %s in it:\n%s", text, clean)
			}
		}
	}
}

// scalars yields the values in value that are neither maps nor lists.
func scalars(value any) iter.Seq[any] {
	return func(yield func(any) bool) {
		switch value := value.(type) {
		case nil:
		case map[string]any:
			for _, below := range value {
				scalars(below)(yield)
			}
		case []any:
			for _, below := range value {
				scalars(below)(yield)
			}
		default:
			yield(value)
		}
	}
}

// FuzzContentOf checks that contentOf reads a release's Secret as helm does. Normally helm has written it, but so can anybody who may write Secrets.
// Each input is tried both as the JSON and as the packed text: because of gzip's checksum, the fuzzer would never reach the JSON otherwise.
func FuzzContentOf(f *testing.F) {
	zip := gzip.NewWriter(nil) // a new one for each input would take most of the time
	packed := func(text []byte) []byte {
		var to bytes.Buffer
		zip.Reset(&to)
		_, _ = zip.Write(text)
		_ = zip.Close()
		return to.Bytes()
	}
	for _, seed := range []string{
		`{"manifest":"a: b","config":{"a":1},"chart":{"metadata":{"name":"a","version":"1"}}}`, `{"manifest":5}`, "", "null", "[[[[",
		`{"Manifeſt":"b"}`, `{"hooks":[{"name":"a","Manifest":"a: b"},null,{}],"manifest":"c"}`, `{"Manifest":"a","chart":{"METADATA":{"Name":"a"},"templates":[{"name":"x","data":"e30="}]},"apply_method":"ssa"} `, `{"config":null,"chart":null}`,
	} {
		f.Add([]byte(seed))
		f.Add(packed([]byte(seed)))
	}
	f.Fuzz(func(t *testing.T, release []byte) {
		if got, err := contentOf([]byte(base64.StdEncoding.EncodeToString(release))); err == nil && len(got.Manifest) > bounds.Manifest {
			t.Errorf("a manifest of %d bytes was taken", len(got.Manifest))
		}
		_, _ = contentOf(release) // no base64: no panic
		got, err := contentOf([]byte(base64.StdEncoding.EncodeToString(packed(release))))
		var want struct {
			content
			Hooks []struct{ Manifest string }
		}
		helms := json.Unmarshal(release, &want)
		for _, hook := range want.Hooks {
			if hook.Manifest != "" {
				want.hooks = fmt.Appendf(want.hooks, "---\n%s\n", hook.Manifest)
			}
		}
		if helms == nil && err != nil && string(bytes.TrimSpace(release)) != "null" {
			t.Errorf("%v, and helm reads %+v", err, want)
		} else if helms == nil && err == nil && !twice(release) {
			if diff := cmp.Diff(want.content, got, cmp.AllowUnexported(content{})); diff != "" {
				t.Errorf("helm reads otherwise: %s", diff)
			}
		}
	})
}

// twice tells whether a release may have its chart or its hooks twice: encoding/json then merges both.
func twice(release []byte) bool {
	count := func(name string) int { return bytes.Count(bytes.ToLower(release), []byte(`"`+name+`"`)) }
	return count("chart")+count("metadata") > 2 || count("hooks")+count("hookſ") > 1 || bytes.Contains(release, []byte(`\u`))
}
