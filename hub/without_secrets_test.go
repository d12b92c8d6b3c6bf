package hub

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSecretsLeaveTheEventAndEverythingElseStays(t *testing.T) {
	for name, test := range map[string]struct{ argument, want string }{
		"every kind of secret": {
			`{"tenantId":"acme","repositoryPassword":"planted-1","values":[
				{"path":"a","value":"plain","isSecret":false},{"path":"b","value":"planted-2","isSecret":true},
				{"Path":"c","Value":"planted-3","IsSecret":true},{"path":"d","value":"plain"}],"newField":7}`,
			`{"tenantId":"acme","repositoryPassword":"REMOVED","values":[{"path":"a","value":"plain","isSecret":false},
				{"path":"b","value":"REMOVED","isSecret":true},{"Path":"c","Value":"REMOVED","IsSecret":true},{"path":"d","value":"plain"}],"newField":7}`,
		},
		"values twice": {
			`{"values":[{"path":"a","value":"planted","isSecret":true}],"values":[{"path":"b","value":"plain"}],"values":null}`,
			`{"values":[{"path":"a","value":"REMOVED","isSecret":true}],"values":[{"path":"b","value":"plain"}],"values":null}`,
		},
		"a password twice": {
			`{"repositoryPassword":"planted","RepositoryPassword":"planted","repositoryPassword":null}`,
			`{"repositoryPassword":"REMOVED","RepositoryPassword":"REMOVED","repositoryPassword":null}`,
		},
		"a value and its flag twice": {
			`{"values":[{"value":"planted","value":"planted","isSecret":true,"isSecret":false}]}`,
			`{"values":[{"value":"REMOVED","value":"REMOVED","isSecret":true,"isSecret":false}]}`,
		},
		"a flag that is none": {
			`{"values":[{"value":"planted","isSecret":"false"},{"value":{"deep":"planted"},"isSecret":1},{"value":"plain","isSecret":null}]}`,
			`{"values":[{"value":"REMOVED","isSecret":"false"},{"value":"REMOVED","isSecret":1},{"value":"plain","isSecret":null}]}`,
		},
		"overrides that are none":  {`{"values":["planted",["planted"],null]}`, `{"values":["REMOVED","REMOVED",null]}`},
		"values that are no list":  {`{"values":{"a":"planted"},"values":"planted"}`, `{"values":"REMOVED","values":"REMOVED"}`},
		"an argument that is none": {`["planted"]`, `"[not readable, removed after the run]"`},
		"a password in a URL": {
			`{"repositoryUrl":"https://me:planted@charts.example/a","RepositoryURL":"oci://planted@charts.example"}`,
			`{"repositoryUrl":"https://xxxxx@charts.example/a","RepositoryURL":"oci://xxxxx@charts.example"}`,
		},
		"a signed URL": {
			`{"repositoryUrl":"https://charts.example/a?sig=planted","repositoryURL":"https://charts.example/a#planted","RepositoryUrl":"charts?planted"}`,
			`{"repositoryUrl":"https://charts.example/a?xxxxx","repositoryURL":"https://charts.example/a","RepositoryUrl":"REMOVED"}`,
		},
		"a URL that cannot be read": {
			`{"repositoryUrl":"https://me:planted%@x","repositoryUrl":"me:planted@x","repositoryUrl":["https://me:planted@x"]}`,
			`{"repositoryUrl":"REMOVED","repositoryUrl":"REMOVED","repositoryUrl":"REMOVED"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			clean, changed := Event{WorkloadDeployedCallback, json.RawMessage(test.argument)}.WithoutSecrets()
			want := &bytes.Buffer{}
			if err := json.Compact(want, []byte(strings.ReplaceAll(test.want, "REMOVED", RemovedSecret))); err != nil {
				t.Fatal(err)
			}
			if string(clean.Argument) != want.String() || !changed {
				t.Errorf("changed %v: got  %s\nwant %s", changed, clean.Argument, want)
			}
		})
	}
}

func TestAnEventWithoutSecretsStaysAsItIs(t *testing.T) {
	for name, event := range map[string]Event{
		"a pool's event": {Callback: PoolDeployed, Argument: json.RawMessage(`{}`)},
		"a deploy": {Callback: WorkloadDeployedCallback, Argument: json.RawMessage(
			`{"repositoryUrl": "https://charts.example/@scope/a%20b", "repositoryPassword": null, "values": [{"path": "a", "value": "plain"}], "number": 12345678901234567890}`)},
		"a deploy of little": {Callback: WorkloadDeployedCallback, Argument: json.RawMessage(`{"repositoryUrl": null, "values": null}`)},
	} {
		if again, changed := event.WithoutSecrets(); changed {
			t.Errorf("%s was changed to %s", name, again.Argument)
		}
	}
}
