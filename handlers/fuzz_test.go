package handlers

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"octo-operator/dev/fixtures"
	"octo-operator/handlers/check"
	"octo-operator/handlers/pools"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/text"
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
		clean, changed := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: json.RawMessage(argument)}.WithoutSecrets()
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

// FuzzPlace: an event that passes the checks has a lane, and attributes that can be printed.
func FuzzPlace(f *testing.F) {
	const id = "65d5c447b420da3fb12381bc"
	for _, callback := range hub.Callbacks {
		f.Add(callback, `{"tenantId":"acme","poolRtId":"`+id+`","workloadRtId":"`+id+`","workloadName":"Shop","chartName":"app","repositoryUrl":"https://charts.example"}`, uint8(3))
	}
	f.Add(hub.WorkloadDeployedCallback, `{"tenantId":"a","poolName":"b,c=d","workloadName":"\u001b[2J","chartVersion":"1\r","Values":[{"isSecret":true}],"values":[]}`, uint8(1))
	f.Add(hub.PoolUndeployed, `{"tenantId":"ſK","deploymentSiteRtId":"`+id+`"}`, uint8(4))
	h := &Handlers{settings: fixtures.Settings(f, "OPERATOR__STATEDIR=/state"), pools: &pools.Pools{}, releases: &release.Deployer{}}
	table := h.table()
	f.Fuzz(func(t *testing.T, callback, argument string, generation uint8) {
		c, known := table[callback]
		event := hub.Event{Callback: callback, Argument: []byte(argument)}
		if !known || check.Event(event, hub.Generation(generation%5)) != nil {
			return
		}
		where, err := c.Place(h.settings, event)
		if err != nil {
			return
		}
		if where.Lane == "" || strings.ContainsFunc(where.Lane, unicode.IsControl) {
			t.Errorf("lane %q", where.Lane)
		}
		for _, attr := range where.Attrs {
			if strings.ContainsFunc(attr.(string), text.NotPrinted) {
				t.Errorf("attribute %q", attr)
			}
		}
	})
}
