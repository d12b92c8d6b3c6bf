package release

import (
	"encoding/json"
	"slices"
	"testing"

	"octo-operator/hub"
	"octo-operator/scripts"
)

func TestOnlyADeployAndItsPlanMayRenderAndAreLookedAt(t *testing.T) {
	argument, err := json.Marshal(shop)
	if err != nil {
		t.Fatal(err)
	}
	event := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: argument}
	variables := map[string]string{"RELEASE": "acme-shop", "NAMESPACE": "octo", "TENANT": "acme", ownSecretsVariable: "acme-shop-octo-secrets,acme-p-broker"}
	for _, step := range guardedSteps {
		run, err := GuardFor(event, step, variables)
		if err != nil || run == nil {
			t.Fatalf("%s: got %v, %v", step, run, err)
		}
		if run.Release != "acme-shop" || run.Namespace != "octo" || !slices.Contains(run.Tenants, "acme") || len(run.Secrets) != 2 {
			t.Errorf("%s: got %+v", step, run)
		}
		if deploys := step == scripts.WorkloadDeploy || step == scripts.WorkloadPlan; run.Renders != deploys || (run.Look != nil) != deploys {
			t.Errorf("%s: renders is %v", step, run.Renders)
		}
	}
	run, err := GuardFor(event, scripts.WorkloadDeploy, variables)
	if err != nil {
		t.Fatal(err)
	}
	pod := func(secret string) []byte {
		return []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, envFrom: [{secretRef: {name: " + secret + "}}]}]}\n")
	}
	if err := run.Look(pod("victim-octo-secrets")); err == nil {
		t.Error("another release's Secret may be named")
	}
	if err := run.Look(pod("acme-shop-octo-secrets")); err != nil {
		t.Errorf("its own may not: %v", err)
	}
	if run, err := GuardFor(event, scripts.ChartPull, variables); run != nil || err != nil {
		t.Errorf("a step that does not reach the cluster: got %v, %v", run, err)
	}
}
