package handlers

import (
	"encoding/json"
	"strings"

	"octo-operator/hub"
)

const removedSecret = "[removed after the run]"

// withoutSecrets is the event as it may stay on disk.
func withoutSecrets(event hub.Event) (hub.Event, bool) {
	if event.Callback != hub.WorkloadDeploy {
		return event, false
	}
	// Not through the DTO: what a newer controller sent besides stays too.
	var fields map[string]any
	if json.Unmarshal(event.Argument, &fields) != nil {
		return hub.Event{Callback: event.Callback, Argument: json.RawMessage(`"[not readable, removed after the run]"`)}, true
	}
	changed := false
	for name, value := range fields {
		if strings.EqualFold(name, "repositoryPassword") && value != nil {
			fields[name], changed = removedSecret, true
		}
		if strings.EqualFold(name, "values") {
			changed = removeSecretValues(value) || changed
		}
	}
	clean, err := json.Marshal(fields)
	return hub.Event{Callback: event.Callback, Argument: clean}, changed && err == nil
}

// removeSecretValues works on the decoded JSON list of overrides; whatever is not clearly plain counts as secret.
func removeSecretValues(values any) (changed bool) {
	list, _ := values.([]any)
	for _, v := range list {
		override, _ := v.(map[string]any)
		secret := false
		for name, value := range override {
			secret = secret || strings.EqualFold(name, "isSecret") && value != false && value != nil
		}
		for name := range override {
			if secret && strings.EqualFold(name, "value") {
				override[name], changed = removedSecret, true
			}
		}
	}
	return changed
}
