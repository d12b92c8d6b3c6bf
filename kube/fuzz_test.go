package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"

	"octo-operator/bounds"
)

// However a chart writes a Secret in its manifest, none of the Secret's values may remain.
func FuzzWithoutSecrets(f *testing.F) {
	for _, seed := range []string{
		rendered, "kind: Secret\nstringData: {a: m4rk3r}", "kind: Secret\ndata: &d {a: m4rk3r}\n---\nkind: ConfigMap\ndata: {a: b}",
		"kind: List\nitems:\n- kind: Secret\n  stringData: {a: m4rk3r}", "kind: secret\nstringData: [m4rk3r]", "kind: Secret # m4rk3r\nstringData: m4rk3r",
		"{kind: Secret, kind: ConfigMap, stringData: {a: m4rk3r}}", "kind: Secret\nstringData:\n  ? m4rk3r\n  : x", "\ufeffkind: Secret\nstringData: {a: \"m4rk\\u0033r\"}",
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
		if _, more, err := WithoutSecrets(clean, "REMOVED", asItIs); err != nil {
			t.Errorf("cannot read what was written: %v\n%s", err, clean)
		} else if strings.Trim(strings.Join(more, ""), " \nREMOVD") != "" {
			t.Errorf("%q is still in it:\n%s", more, clean)
		}
	})
}

// Fuzzes the content of a release's Secret: normally helm has written it, but so can whoever may write Secrets.
func FuzzContentOf(f *testing.F) {
	for _, seed := range []string{`{"manifest":"a: b","config":{"a":1},"chart":{"metadata":{"name":"a","version":"1"}}}`, `{"manifest":5}`, "", "null", "[[[["} {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, _ = zip.Write([]byte(seed))
		_ = zip.Close()
		f.Add(packed.Bytes())
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		got, err := contentOf([]byte(base64.StdEncoding.EncodeToString(stored)))
		if len(got.Manifest) > bounds.Manifest && err == nil {
			t.Errorf("a manifest of %d bytes was taken", len(got.Manifest))
		}
		_, _ = contentOf(stored) // no base64: no panic
	})
}
