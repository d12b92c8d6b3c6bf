package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"octo-operator/bounds"
)

// stored returns a revision as Helm stores it.
func stored(t *testing.T, release string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(release))
	if err = errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func TestWhatHelmKeepsOfARevisionCanBeRead(t *testing.T) {
	for _, test := range []struct {
		name, release, values, manifest string
		onServer                        bool
	}{
		{"values", `{"name":"demo","chart":{"metadata":{"name":"shop","version":"1.2.3"},"values":{}},"config":{"tenantId":"acme","a":[1]},"manifest":"kind: Pod","apply_method":"ssa"}`,
			`{"tenantId":"acme","a":[1]}`, "kind: Pod", true},
		{"no values", `{"name":"demo","config":null,"manifest":"","apply_method":"csa"}`, "null", "", false},
		{"none at all, of helm 3", `{"name":"demo"}`, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path != "/api/v1/namespaces/octo/secrets/sh.helm.release.v1.demo.v7" {
					t.Errorf("asked for %s", req.URL)
				}
				_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"release": stored(t, test.release)}})
			})
			values, err := r.Values(testContext(t), "octo", "demo", "7")
			if err != nil || string(values) != test.values {
				t.Errorf("values %s, %v; want %s", values, err, test.values)
			}
			manifest, err := r.Manifest(testContext(t), "octo", "demo", "7")
			if err != nil || string(manifest) != test.manifest {
				t.Errorf("manifest %s, %v; want %s", manifest, err, test.manifest)
			}
			onServer, err := r.AppliedOnServer(testContext(t), "octo", "demo", "7")
			if err != nil || onServer != test.onServer {
				t.Errorf("applied on the server's side is %v, %v", onServer, err)
			}
		})
	}
}

func TestTheHooksThatHelmKeepsOfARevisionCanBeRead(t *testing.T) {
	const release = `{"hooks":[{"name":"a","manifest":"kind: Secret","events":["pre-install"]},{"last_run":{}},{"manifest":"kind: Job\n"}],"manifest":"kind: Pod"}`
	for release, want := range map[string]string{release: "---\nkind: Secret\n---\nkind: Job\n\n", `{"hooks":null,"manifest":"kind: Pod"}`: ""} {
		r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"release": stored(t, release)}})
		})
		manifest, hooks, err := r.ManifestAndHooks(testContext(t), "octo", "demo", "7")
		if err != nil || string(manifest) != "kind: Pod" || string(hooks) != want {
			t.Errorf("manifest %s, hooks %q, %v", manifest, hooks, err)
		}
	}
}

func TestARevisionThatCannotBeReadIsNamed(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"release": []byte("<html>")}})
	})
	if _, err := r.Values(testContext(t), "octo", "demo", "7"); err == nil || !strings.HasPrefix(err.Error(), "cannot read revision 7 of release demo: ") {
		t.Errorf("got %v", err)
	}
}

func TestARevisionThatUnpacksToMuchIsReadInPieces(t *testing.T) {
	file := `{"name":"f","data":"` + strings.Repeat("A", 1<<20) + `"}`
	chart := func(files int) string {
		return `{"name":"demo","chart":{"files":[` + strings.Repeat(file+",", files) + `{}],"metadata":{"name":"shop","version":"1.2.3"}},"manifest":"kind: Pod"}`
	}
	for _, test := range []struct{ name, release, want string }{
		{"a chart with files of 50 MiB", chart(50), ""},
		{"a chart with files of 80 MiB", chart(80), "unexpected EOF"},
		{"a manifest of 40 MiB", `{"manifest":"` + strings.Repeat("x", 40<<20) + `"}`, "a value in it has more than 20971520 bytes"},
		{"a chart with a file of 40 MiB", `{"chart":{"files":[{"data":"` + strings.Repeat("x", 40<<20) + `"}]}}`, "a value in it has more than 20971520 bytes"},
		{"no object", `[1]`, "it is not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			packed := stored(t, test.release)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, err := contentOf(packed)
			runtime.ReadMemStats(&after)
			if test.want == "" && (err != nil || c.Manifest != "kind: Pod" || c.Chart.Metadata.Name != "shop") {
				t.Errorf("%+v, %v", c, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s", err, test.want)
			}
			// Each token of a file is garbage after it is read, so this is the total of all tokens, not the size of a buffer.
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 180 {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
}

func TestAnAnswerThatIsTooLongIsRefused(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(w, zeros{}, bounds.Answer+10)
	})
	var into map[string]any
	if err := r.Do(testContext(t), http.MethodGet, "/api/v1/pods", nil, &into); err == nil || !strings.Contains(err.Error(), "GET /api/v1/pods: it has more than 32 MiB") {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
