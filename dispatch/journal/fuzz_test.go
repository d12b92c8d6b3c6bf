package journal

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

// FuzzLeft: users who may write Secrets may write anything into the journal's. And whatever the argument of an event is, its copy contains no
// password of a repository, and reading it returns the same event.
func FuzzLeft(f *testing.F) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(`{"callback":"WorkloadDeployed","argument":{"repositoryPassword":"sealed:AAAA"}}`))
	_ = zip.Close()
	f.Add("20261123T134355.207480Z-workload-deployed-a-9a64fa", packed.Bytes())
	f.Add("x.report", []byte(`{}`))
	f.Add("", []byte("not gzip"))
	f.Add("a", []byte(`{"tenantId":"a","RepositoryPaſsword":"x","values":[{"path":"a","value":"<b>&","isSecret":true}],"hibernated":null}`))
	f.Add("a", []byte(`["x"]`))
	f.Add("a", []byte(` {"repositoryPassword":"sealed:AAAA"}`))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		_, event, report, err := secret{Data: map[string][]byte{name: content}}.content(name, "key")
		if report != nil && (err != nil || event.Callback != "") {
			t.Errorf("%q was taken for a report and an event: %v", name, err)
		}
		if event.Callback == hub.WorkloadDeployedCallback && bytes.Contains(event.Argument, []byte(`"repositoryPassword":"sealed:`)) {
			t.Errorf("a sealed password came out as a password: %s", event.Argument)
		}
		if json.Valid(content) {
			wantCopied(t, name, hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: content})
		}
	})
}

func wantCopied(t *testing.T, id string, event hub.Event) {
	const key = "the key of the fuzzer"
	for of, want := range map[string]bool{key: true, "": false} {
		copied, err := sealed(event, of)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := pack(copied)
		if err != nil {
			t.Fatalf("%s: %v", event.Argument, err)
		}
		was, _ := hub.Decode[hub.WorkloadDeployed](event.Argument)
		between, _ := hub.Decode[hub.WorkloadDeployed](copied.Argument)
		if was.RepositoryPassword != "" && between.RepositoryPassword == was.RepositoryPassword && was.RepositoryPassword != LostPassword {
			t.Errorf("the copy has the password: %s", copied.Argument)
		}
		if _, report := strings.CutSuffix(id, reportSuffix); report {
			return
		}
		_, back, _, err := secret{Data: map[string][]byte{id: packed}}.content(id, of)
		if err != nil {
			t.Fatalf("%s: %v", event.Argument, err)
		}
		is, _ := hub.Decode[hub.WorkloadDeployed](back.Argument)
		if !want && was.RepositoryPassword != "" {
			was.RepositoryPassword = LostPassword
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s was copied as another event: %s", event.Argument, diff)
		}
	}
}
