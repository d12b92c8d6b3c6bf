package handlers_test

import (
	"fmt"
	"slices"
	"testing"

	"octo-operator/handlers"
	"octo-operator/hub"
)

func TestTheValuesOfARunSayWhereEachComesFromAndHoldNoSecret(t *testing.T) {
	r := newRig(t, with("BROKERPASSWORD", "planted-broker"))
	document := func(w *hub.WorkloadDeployed) { w.ValuesYaml = "image: {tag: '1.0'}\nnote: planted-broker" }
	r.deploy("shop", document, override("image.tag", "1.10"), secret("secrets.apiKey", "planted-key"))
	all, err := r.life.Runs().List()
	r.must(err)
	values, err := r.life.RunValues(all[len(all)-1])
	r.must(err)
	of := func(path string) handlers.RunValue {
		t.Helper()
		i := slices.IndexFunc(values, func(v handlers.RunValue) bool { return v.Path == path })
		if i < 0 {
			t.Fatalf("there is no %s in %+v", path, values)
		}
		return values[i]
	}
	for path, want := range map[string]string{
		"tenantId": "acme context string", "image.tag": "1.10 values string", "note": "[redacted] valuesYaml string",
		`secrets.apiKey.valueFrom.secretKeyRef.name`: releaseName("shop") + "-octo-secrets values string",
	} {
		if v := of(path); fmt.Sprint(v.Value, " ", v.Layer, " ", v.Type) != want || v.Today != nil {
			t.Errorf("%s is %+v, not %s", path, v, want)
		}
	}
	if replaced := of("image.tag").Replaced; len(replaced) == 0 || replaced[0].Layer != "valuesYaml" || replaced[0].Value != "1.0" {
		t.Errorf("image.tag has replaced %+v", replaced)
	}

	// The event stays without its secrets, and the settings may be others by now.
	r.end()
	r.settings["REPORTINGSERVICEURI"], r.settings["COMMUNICATIONCONTROLLERURI"] = "https://new.test", "https://controller-2.test"
	r.start()
	values, err = r.life.RunValues(all[len(all)-1])
	r.must(err)
	if v := of("communicationControllerServiceUri"); v.Value != controllerURI || v.Today != "https://controller-2.test" || v.Layer != "context" {
		t.Errorf("the controller is %+v", v)
	}
	if i := slices.IndexFunc(values, func(v handlers.RunValue) bool { return v.Path == "reportingServiceUri" }); i >= 0 {
		t.Errorf("the run did not have %+v", values[i])
	}
}
