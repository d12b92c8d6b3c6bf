package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/hub"
)

func TestAnEventIsReadFromACallbacksArgumentsAndFromARunsEvent(t *testing.T) {
	const argument = `{"tenantId":"acme","workloadName":"Shop"}`
	for _, c := range []struct{ name, callback, text, want string }{
		{"the argument", hub.WorkloadDeployedCallback, argument, ""},
		{"a run's event.json", hub.WorkloadDeployedCallback, `{"callback":"WorkloadDeployed","argument":` + argument + `}`, ""},
		{"another event's", hub.WorkloadDeployedCallback, `{"callback":"WorkloadUndeployed","argument":` + argument + `}`, "the file holds an event WorkloadUndeployed"},
		{"no JSON", hub.WorkloadDeployedCallback, `tenantId: acme`, "they are not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			event, err := readEvent(c.callback, []string{file})
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, not %q", err, c.want)
			case c.want == "" && (err != nil || event.Callback != hub.WorkloadDeployedCallback || !strings.Contains(string(event.Argument), `"workloadName":"Shop"`)):
				t.Errorf("event %+v, error %v", event, err)
			}
		})
	}
}

// In a pod nobody has the event in a file.
func TestTheEventOfARunIsFoundByItsIDItsReleaseAndItsWorkload(t *testing.T) {
	dir, err := filepath.Abs("../dispatch/runs/story/testdata/state")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPERATOR__STATEDIR", dir)
	for _, c := range []struct{ what, want string }{
		{"5aab46", ""},
		{"acme-65d5c447b420da3fb12381c2", ""},
		{"Broken", ""},
		{"0d0d0d", "run 0d0d0d is no WorkloadDeployed, but a PoolDeployed"},
		{"nobody", `cannot find a run by "nobody"`},
	} {
		event, err := valuesEvent(nil, c.what)
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, not %q", c.what, err, c.want)
		case c.want == "" && (err != nil || !strings.Contains(string(event.Argument), `"Broken"`)):
			t.Errorf("%s: event %+v, error %v", c.what, event, err)
		}
	}
}
