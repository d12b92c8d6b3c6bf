package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// stored is what Helm makes of a revision.
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

func TestARevisionThatCannotBeReadIsNamed(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"release": []byte("<html>")}})
	})
	if _, err := r.Values(testContext(t), "octo", "demo", "7"); err == nil || !strings.HasPrefix(err.Error(), "cannot read revision 7 of release demo: ") {
		t.Errorf("got %v", err)
	}
}
