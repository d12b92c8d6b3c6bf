package hub

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseEvent(t *testing.T) {
	const id = `"65d5c447b420da3fb12381bc"`
	for _, test := range []struct {
		name, target, arguments string
		want                    Event
	}{
		{"G1 pool", "PoolDeployedAsync", `[{"tenantId":"acme","poolName":"main"}]`,
			Event{PoolDeployed, []byte(`{"tenantId":"acme","poolName":"main"}`)}},
		{"G3 pool", "PoolDeployedAsync", `[{"tenantId":"acme","poolRtId":` + id + `}]`,
			Event{PoolDeployed, []byte(`{"tenantId":"acme","poolRtId":` + id + `}`)}},
		{"G4 site", "DeploymentSiteDeployedAsync", `[{"tenantId":"acme","deploymentSiteRtId":` + id + `}]`,
			Event{PoolDeployed, []byte(`{"tenantId":"acme","deploymentSiteRtId":` + id + `}`)}},
		{"G1 pool undeployed", "PoolUndeployedAsync", `["acme","main"]`,
			Event{PoolUndeployed, []byte(`{"tenantId":"acme","poolName":"main"}`)}},
		{"G3 pool undeployed", "PoolUndeployedAsync", `["acme",` + id + `]`,
			Event{PoolUndeployed, []byte(`{"tenantId":"acme","poolRtId":` + id + `}`)}},
		{"G4 site undeployed", "DeploymentSiteUndeployedAsync", `["acme",` + id + `]`,
			Event{PoolUndeployed, []byte(`{"tenantId":"acme","deploymentSiteRtId":` + id + `}`)}},
		{"pool undeployed as an object", "PoolUndeployed", `[{"tenantId":"acme","poolRtId":` + id + `}]`,
			Event{PoolUndeployed, []byte(`{"tenantId":"acme","poolRtId":` + id + `}`)}},
		{"workload deployed", "WorkloadDeployedAsync", `[{"tenantId":"acme","new":[1]}]`,
			Event{WorkloadDeployedCallback, []byte(`{"tenantId":"acme","new":[1]}`)}},
		{"workload undeployed", "WorkloadUndeployedAsync", `[{"tenantId":"acme"}]`,
			Event{WorkloadUndeployedCallback, []byte(`{"tenantId":"acme"}`)}},
		{"scale", "ScaleWorkloadAsync", `[{"tenantId":"acme","replicas":0}]`,
			Event{ScaleWorkload, []byte(`{"tenantId":"acme","replicas":0}`)}},
		{"tenant", "PreUpdateTenantAsync", `["acme"]`, Event{PreUpdateTenant, []byte(`{"tenantId":"acme"}`)}},
		{"tenant as an object", "PreUpdateTenant", `[ {"tenantId":"acme"}]`, Event{PreUpdateTenant, []byte(`{"tenantId":"acme"}`)}},
		{"name without Async", "WorkloadDeployed", `[{}]`, Event{WorkloadDeployedCallback, []byte(`{}`)}},
		{"name in another case", "workloaddeployedASYNC", `[{}]`, Event{WorkloadDeployedCallback, []byte(`{}`)}},
		{"more arguments than known", "PreUpdateTenantAsync", `["acme",7,{}]`, Event{PreUpdateTenant, []byte(`{"tenantId":"acme"}`)}},
		{"null is absent", "PreUpdateTenantAsync", `[null]`, Event{PreUpdateTenant, []byte(`{"tenantId":""}`)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseEvent(test.target, rawList(t, test.arguments))
			must(t, err)
			if got.Callback != test.want.Callback || string(got.Argument) != string(test.want.Argument) {
				t.Errorf("got %s %s, want %s %s", got.Callback, got.Argument, test.want.Callback, test.want.Argument)
			}
		})
	}
}

func TestParseEventSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ name, target, arguments, want string }{
		{"no arguments", "PoolDeployedAsync", `[]`, "cannot take PoolDeployedAsync: it came without arguments"},
		{"one of two", "PoolUndeployedAsync", `["acme"]`, "2 are needed, the tenant id and the pool"},
		{"tenant is a number", "PoolUndeployedAsync", `[1,"main"]`, "the argument is a JSON number, not a string"},
		{"pool is an object", "PoolUndeployedAsync", `["acme",{}]`, "the argument is a JSON object, not a string"},
		{"tenant is a list", "PreUpdateTenantAsync", `[["acme"]]`, "the argument is a JSON array, not a string"},
		{"unknown", "BrandNewAsync", `[1]`, `callback "BrandNewAsync" is not known: known are PoolDeployed,`},
		{"suffix alone", "Async", `[1]`, `callback "Async" is not known`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseEvent(test.target, rawList(t, test.arguments))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
			unknown := (*UnknownCallbackError)(nil)
			if errors.As(err, &unknown) != strings.Contains(test.want, "not known") {
				t.Errorf("%v is of type %T", err, err)
			}
		})
	}
}

func TestDecodeNamesTheFieldAndNotItsValue(t *testing.T) {
	const marker = "m4rk3r"
	for _, test := range []struct{ name, text, want string }{
		{"list for a text", `{"tenantId":["m4rk3r"]}`, "tenantId is a JSON array, not a string"},
		{"text for a list", `{"values":"m4rk3r"}`, "values is a JSON string, not a list"},
		{"number in an override", `{"values":[{"path":"a","value":77777}]}`, "values.value is a JSON number, not a string"},
		{"text for a flag", `{"hibernated":"m4rk3r"}`, "hibernated is a JSON string, not a bool"},
		{"text for all", `"m4rk3r"`, "the argument is a JSON string, not an object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Decode[WorkloadDeployed]([]byte(test.text))
			if err == nil || err.Error() != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), "77777") {
				t.Errorf("%v holds the value", err)
			}
		})
	}
}

// One wrong field must not hide whose event it is, because its failure is reported to the controller.
func TestDecodeReadsOnAfterAWrongField(t *testing.T) {
	w, err := Decode[WorkloadDeployed]([]byte(`{"values":5,"workloadType":"Robot","tenantId":"acme","workloadRtId":"` + workID + `"}`))
	if err == nil || w.TenantID != "acme" || w.WorkloadRtID != workID {
		t.Errorf("got %+v, %v", w, err)
	}
	if w.WorkloadType.Known() {
		t.Errorf("type %d is known", w.WorkloadType)
	}
}

func TestWorkloadTypeIsANumberOrAName(t *testing.T) {
	for text, want := range map[string]WorkloadType{
		`0`: Adapter, `1`: Application, `2`: AdapterPool, `"2"`: AdapterPool, `"Application"`: Application, `"adapterpool"`: AdapterPool,
		`null`: Adapter, `3`: unknownType, `-1`: unknownType, `"Robot"`: unknownType, `{}`: unknownType, `1.5`: unknownType,
	} {
		w, err := Decode[Workload]([]byte(`{"workloadType":` + text + `}`))
		if err != nil || w.WorkloadType != want {
			t.Errorf("%s: got %d, %v, want %d", text, w.WorkloadType, err, want)
		}
	}
}

func TestCheckNamesTheFieldThatIsMissingOrMalformed(t *testing.T) {
	id := Pool{TenantID: "acme", PoolRtID: poolID}
	named := Pool{TenantID: "acme", PoolName: "main"}
	for _, test := range []struct {
		name string
		err  error
		want string // empty: no error
	}{
		{"pool", id.Check(), ""},
		{"named pool", named.Check(), ""},
		{"site", Pool{TenantID: "acme", DeploymentSiteRtID: poolID}.Check(), ""},
		{"pool without tenant", Pool{PoolRtID: poolID}.Check(), "tenantId is empty"},
		{"pool without id", Pool{TenantID: "acme"}.Check(), "poolRtId is empty"},
		{"pool with a short id", Pool{TenantID: "acme", PoolRtID: "65d5"}.Check(), `"65d5" is not 24 lowercase hexadecimal digits`},
		{"site in upper case", Pool{TenantID: "acme", DeploymentSiteRtID: strings.ToUpper(poolID)}.Check(), "is not 24 lowercase"},
	} {
		if (test.err == nil) != (test.want == "") || (test.err != nil && !strings.Contains(test.err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.name, test.err, test.want)
		}
	}
}

func rawList(t *testing.T, text string) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	must(t, json.Unmarshal([]byte(text), &list))
	return list
}
