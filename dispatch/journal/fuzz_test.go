package journal

import (
	"bytes"
	"compress/gzip"
	"testing"

	"octo-operator/hub"
)

// FuzzLeft: whoever may write Secrets may write anything into the journal's.
func FuzzLeft(f *testing.F) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(`{"callback":"WorkloadDeployed","argument":{"repositoryPassword":"sealed:AAAA"}}`))
	_ = zip.Close()
	f.Add("20261123T134355.207480Z-workload-deployed-a-9a64fa", packed.Bytes())
	f.Add("x.report", []byte(`{}`))
	f.Add("", []byte("not gzip"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		_, event, report, err := secret{Data: map[string][]byte{name: content}}.content(name, "key")
		if report != nil && (err != nil || event.Callback != "") {
			t.Errorf("%q was taken for a report and an event: %v", name, err)
		}
		if event.Callback == hub.WorkloadDeployedCallback && bytes.Contains(event.Argument, []byte(`"repositoryPassword":"sealed:`)) {
			t.Errorf("a sealed password came out as a password: %s", event.Argument)
		}
	})
}
