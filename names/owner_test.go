package names

import (
	"encoding/json"
	"strings"
	"testing"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/kube"
)

const rtID, otherRtID = "65d5c447b420da3fb1238101", "65d5c447b420da3fb1238102"

func workload(tenant, rtID, name string) hub.Workload {
	return hub.Workload{Pool: hub.Pool{TenantID: tenant}, WorkloadRtID: rtID, WorkloadName: name}
}

func TestWhatIsMadeForATenantIsProvenItsAndNoOthersWhoseNamesAreAlike(t *testing.T) {
	alike := []string{"victim-corp", "victim.corp", "VICTIM-CORP", "victim-corp-", "victim_corp", strings.Repeat("victim-corp", 9), strings.Repeat("victim-corp", 9) + "s"}
	for _, owner := range alike {
		labels := map[string]string{TenantLabel: LabelValue(owner), TenantHashLabel: HashOf(owner)}
		annotations := map[string]string{TenantIDAnnotation: owner}
		for _, tenant := range alike {
			want := OfAnother
			if tenant == owner {
				want = OfThis
			}
			for has, got := range map[string]Proof{
				"both": TenantProof(labels, annotations, tenant), "hash": TenantProof(labels, nil, tenant), "annotation": TenantProof(nil, annotations, tenant),
			} {
				if got.Verdict != want || (got.Reason == "") != (want == OfThis) {
					t.Errorf("%q's by its %s, for %q: %+v", owner, has, tenant, got)
				}
			}
		}
	}
}

func TestAnObjectWithALabelAloneIsProvenOnlyWhereThatIsTheTenantsId(t *testing.T) {
	for name, test := range map[string]struct {
		label, tenant string
		want          Verdict
	}{
		"no label":                        {"", "acme", Unproven},
		"the id":                          {"acme", "acme", OfThis},
		"another id":                      {"acme", "beta", OfAnother},
		"the reference operator's of it":  {"acme-corp", "acme/corp", Unproven},
		"one that may be made of another": {"acme-" + ShortHash("x"), "acme-" + ShortHash("x"), Unproven},
	} {
		if got := TenantProof(map[string]string{TenantLabel: test.label}, nil, test.tenant); got.Verdict != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAReleaseIsAWorkloadsByItsRuntimeIdOnceBothHaveOne(t *testing.T) {
	for name, test := range map[string]struct {
		labels map[string]string
		w      hub.Workload
		want   Verdict
	}{
		"its labels":            {WorkloadLabels(workload("acme", rtID, "")), workload("acme", rtID, ""), OfThis},
		"another workload":      {WorkloadLabels(workload("acme", otherRtID, "")), workload("acme", rtID, ""), OfAnother},
		"another tenant":        {WorkloadLabels(workload("beta", rtID, "")), workload("acme", rtID, ""), OfAnother},
		"an event of G1":        {WorkloadLabels(workload("acme", rtID, "")), workload("acme", "", "shop"), OfThis},
		"no labels":             {nil, workload("acme", rtID, ""), Unproven},
		"a workload that moved": {WorkloadLabels(hub.Workload{Pool: hub.Pool{TenantID: "acme", PoolRtID: rtID}, WorkloadRtID: rtID}), workload("acme", rtID, ""), OfThis},
	} {
		if got := LabelProof(test.labels, test.w); got.Verdict != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheValuesOfTheReferenceOperatorProveARelease(t *testing.T) {
	for values, want := range map[string]Verdict{
		`{"tenantId":"acme","adapterRtId":"` + rtID + `"}`:                         OfThis,
		`{"tenantId":"acme","adapterRtId":"` + otherRtID + `"}`:                    OfAnother,
		`{"tenantId":"beta","adapterRtId":"` + rtID + `"}`:                         OfAnother,
		`{"TENANTID":"acme","adapterRtId":"` + rtID + `"}`:                         Unproven,
		`{"tenantId":"acme","TENANTID":"beta","adapterRtId":"` + rtID + `","x":1}`: OfThis,
		`{"tenantId":"acme"}`:                     Unproven,
		`{"tenantId":["acme"],"adapterRtId":"1"}`: OfAnother,
		``: Unproven,
	} {
		got, err := ValuesProof(json.RawMessage(values), workload("acme", rtID, ""))
		if err != nil || got.Verdict != want {
			t.Errorf("%s: %+v, %v", values, got, err)
		}
	}
	if _, err := ValuesProof(json.RawMessage(`[]`), workload("acme", rtID, "")); err == nil {
		t.Error("values that are no object prove something")
	}
}

func TestASecretIsAWorkloadsWhoeverOfTheTwoOperatorsMadeIt(t *testing.T) {
	w := workload("acme", rtID, "")
	g1 := workload("acme", "", "Shop 1")
	with := func(labels map[string]string, pairs ...string) *kube.Secret {
		all := map[string]string{}
		for key, value := range labels {
			all[key] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return &kube.Secret{Labels: all}
	}
	name := Group + "/workload"
	for what, test := range map[string]struct {
		secret *kube.Secret
		w      hub.Workload
		want   Verdict
	}{
		"this operator's":                {with(WorkloadLabels(w)), w, OfThis},
		"another workload's":             {with(WorkloadLabels(workload("acme", otherRtID, ""))), w, OfAnother},
		"another tenant's":               {with(WorkloadLabels(workload("beta", rtID, ""))), w, OfAnother},
		"the reference operator's in G1": {with(WorkloadLabels(g1), name, ReferenceLabel("Shop 1")), g1, OfThis},
		"another name's in G1":           {with(WorkloadLabels(g1), name, "bank"), g1, OfAnother},
		"somebody's":                     {with(WorkloadLabels(w), ManagedByLabel, "somebody"), w, Unproven},
		"one without an id":              {with(PoolLabels(w.Pool)), w, Unproven},
	} {
		if got := SecretProof(test.secret, test.w); got.Verdict != test.want {
			t.Errorf("%s: %+v", what, got)
		}
		if got := MadeFor(test.secret, test.w); got != (test.want == OfThis) {
			t.Errorf("%s: made for it: %v", what, got)
		}
	}
	if MadeFor(nil, w) {
		t.Error("no secret is the workload's")
	}
}

func TestAPoolsResourceAndBrokerSecretAreItsByTheirIds(t *testing.T) {
	pool, other := hub.Pool{TenantID: "acme", PoolRtID: rtID}, hub.Pool{TenantID: "acme", PoolRtID: otherRtID}
	resource := func(p hub.Pool) *kube.Pool { return &kube.Pool{TenantID: p.TenantID, PoolRtID: p.PoolRtID} }
	for name, test := range map[string]struct {
		got  Proof
		want Verdict
	}{
		"no resource":               {PoolProof(nil, pool), OfNobody},
		"its resource":              {PoolProof(resource(pool), pool), OfThis},
		"another pool's resource":   {PoolProof(resource(other), pool), OfAnother},
		"another tenant's resource": {PoolProof(resource(hub.Pool{TenantID: "ACME", PoolRtID: rtID}), pool), OfAnother},
		"an empty resource":         {PoolProof(&kube.Pool{}, pool), Unproven},
		"no secret":                 {BrokerSecretProof(nil, pool), OfNobody},
		"its secret":                {BrokerSecretProof(&kube.Secret{Labels: PoolLabels(pool)}, pool), OfThis},
		"another pool's secret":     {BrokerSecretProof(&kube.Secret{Labels: PoolLabels(other)}, pool), OfAnother},
		"a secret without labels":   {BrokerSecretProof(&kube.Secret{}, pool), Unproven},
	} {
		if test.got.Verdict != test.want {
			t.Errorf("%s: %+v", name, test.got)
		}
	}
}

func TestAnObjectThatAPersonLabelsAsToldIsTheTenants(t *testing.T) {
	for _, tenant := range []string{"acme", "acme/corp", "ACME corp", "acme-" + ShortHash("x")} {
		command := LabelCommand("secret a --namespace octo", tenant, map[string]string{RtIDLabel: rtID})
		words := strings.Fields(strings.TrimPrefix(command, "kubectl label secret a --namespace octo "))
		labels := map[string]string{}
		for _, word := range words {
			key, value, _ := strings.Cut(word, "=")
			labels[key] = value
		}
		if got := LabelProof(labels, workload(tenant, rtID, "")); got.Verdict != OfThis {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

func TestNoTwoTenantsShareAnAccount(t *testing.T) {
	settings := config.Config{PoolNamespace: "octo", TenantAccount: config.TenantAccount{Namespace: "accounts", Name: "octo-{tenant}"}}
	of := func(callback, tenant string) string {
		argument, err := json.Marshal(hub.Tenant{TenantID: tenant})
		if err != nil {
			t.Fatal(err)
		}
		return AccountOf(settings, hub.Event{Callback: callback, Argument: argument})
	}
	accounts := map[string]string{}
	long := strings.Repeat("a", longestInAccount)
	for _, tenant := range []string{"acme", "ACME", "ac.me", "ac-me", "ac_me", "-", ".", long, long + "b", long + "c", accountPart("ACME")} {
		account := of(hub.WorkloadDeployedCallback, tenant)
		if other, taken := accounts[account]; taken || account == "" {
			t.Errorf("%q and %q have the account %q", tenant, other, account)
		}
		accounts[account] = tenant
	}
	if got := of(hub.WorkloadDeployedCallback, "acme"); got != "system:serviceaccount:accounts:octo-acme" {
		t.Errorf("got %s", got)
	}
	for name, got := range map[string]string{"a pool": of(hub.PoolDeployed, "acme"), "an event without a tenant": of(hub.ScaleWorkload, "")} {
		if got != "" {
			t.Errorf("%s has the account %s", name, got)
		}
	}
}

func TestWhatBelongsToAReleaseOrPoolIsNamedAfterIt(t *testing.T) {
	pool := hub.Pool{TenantID: "acme", PoolRtID: rtID}
	r, err := ReleaseOf(config.Config{PoolNamespace: "octo"}, hub.Workload{Pool: pool, WorkloadRtID: rtID, WorkloadName: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		r.Lane():                               "octo/acme-" + rtID,
		r.SecretName():                         "acme-" + rtID + "-octo-secrets",
		r.SecretBefore():                       "acme-" + rtID + "-octo-secrets-before",
		strings.Join(BrokerSecrets(pool), " "): "acme-" + rtID + "-octo-mesh-connection",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := BrokerSecrets(hub.Pool{TenantID: "-"}); got != nil {
		t.Errorf("a pool without a name has the secrets %q", got)
	}
}
