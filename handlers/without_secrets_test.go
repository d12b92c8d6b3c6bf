package handlers

import (
	"encoding/json"
	"strings"
	"testing"

	"octo-operator/hub"
)

func TestSecretsLeaveTheEventAndEverythingElseStays(t *testing.T) {
	event := hub.Event{Callback: hub.WorkloadDeploy, Argument: json.RawMessage(`{"tenantId":"acme","repositoryPassword":"planted-1",
		"values":[{"path":"a","value":"plain","isSecret":false},{"path":"b","value":"planted-2","isSecret":true},{"Path":"c","Value":"planted-3","IsSecret":true}],
		"newField":7}`)}
	clean, changed := withoutSecrets(event)
	if !changed || strings.Contains(string(clean.Argument), "planted") {
		t.Errorf("changed %v: %s", changed, clean.Argument)
	}
	for _, kept := range []string{`"plain"`, `"newField":7`, `"acme"`} {
		if !strings.Contains(string(clean.Argument), kept) {
			t.Errorf("%s is gone: %s", kept, clean.Argument)
		}
	}
	if again, changed := withoutSecrets(hub.Event{Callback: hub.PoolDeployed, Argument: json.RawMessage(`{}`)}); changed {
		t.Errorf("a pool's event was changed to %s", again.Argument)
	}
}
