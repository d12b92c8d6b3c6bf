package handlers

import (
	"encoding/json"
	"strings"
	"testing"

	"octo-operator/hub"
)

// What stays of an event on disk: a value that is marked as secret in any way that its readers understand is not among it.
func FuzzSecretsLeaveTheEvent(f *testing.F) {
	const marker = "m4rk3r"
	for _, seed := range []string{
		`{"values":[{"path":"a","value":"m4rk3r","isSecret":true}],"repositoryPassword":"m4rk3r"}`, `{"Values":[{"VALUE":"m4rk3r","isSECRET":true}]}`,
		`{"values":[{"value":"m4rk3r","isSecret":true}],"values":[]}`, `{"repositoryUrl":"http://a:m4rk3r@b/"}`, `{"value\u017f":[{"value":"m4rk3r","isSecret":true}]}`,
		`{"values":{"value":"m4rk3r"}}`, `["m4rk3r"]`, `"m4rk3r"`, `{"values":[["m4rk3r"]]} `,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, argument string) {
		if !json.Valid([]byte(argument)) {
			return // never comes so far
		}
		clean, changed := withoutSecrets(hub.Event{Callback: hub.WorkloadDeploy, Argument: json.RawMessage(argument)})
		if !changed {
			clean.Argument = json.RawMessage(argument)
		}
		if !json.Valid(clean.Argument) {
			t.Fatalf("%s became %s", argument, clean.Argument)
		}
		w, err := hub.Decode[hub.WorkloadDeployed](clean.Argument)
		if err != nil {
			return
		}
		secrets := w.RepositoryPassword
		for _, v := range w.Values {
			if v.IsSecret {
				secrets += v.Value
			}
		}
		if strings.Contains(secrets, marker) {
			t.Errorf("%s became %s", argument, clean.Argument)
		}
	})
}
