package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
	"octo-operator/runs"
)

func secret(path, value string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) {
		w.Values = append(w.Values, hub.Value{Path: path, Value: value, IsSecret: true})
	}
}

func override(path, value string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.Values = append(w.Values, hub.Value{Path: path, Value: value}) }
}

func version(v string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.ChartVersion = v }
}

func TestADeployBecomesARelease(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.apiKey", "planted-key"), override("image.tag", "1.10"), override("ingress.enabled", "false"))

	want := []string{
		"helm pull " + repository + "/demo",
		"helm template " + releaseName("shop") + " chart.tgz (dry run)",
		"kubectl apply manifest.yaml (dry run)",
		"kubectl apply secret.yaml",
		"helm upgrade " + releaseName("shop") + " chart.tgz",
	}
	if diff := cmp.Diff(want, r.commands()); diff != "" {
		t.Errorf("commands: %s", diff)
	}
	if got := r.cluster.releaseHistory(namespace, releaseName("shop")); got != "1 deployed" {
		t.Errorf("the release has %q", got)
	}
	if diff := cmp.Diff(map[string]string{"secrets.apiKey": "planted-key"}, r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets")); diff != "" {
		t.Errorf("the release's Secret: %s", diff)
	}
	for _, line := range []string{"tenantId: acme", "adapterRtId: " + rtID("shop"), `tag: "1.10"`, "enabled: false", "secretKeyRef:"} {
		if !strings.Contains(r.file("values.yaml"), line) {
			t.Errorf("values.yaml lacks %q:\n%s", line, r.file("values.yaml"))
		}
	}
	s := r.status("shop")
	if diff := cmp.Diff(hub.WorkloadDeploymentStatus{TenantID: tenant, WorkloadName: "shop", WorkloadRtID: rtID("shop"), Success: true}, s); diff != "" {
		t.Errorf("status: %s", diff)
	}
}

func TestTheWordsOfAFailingHelmAreTheStatus(t *testing.T) {
	r := newRig(t)
	r.when("helm upgrade", func(c *call, usual func() int) int {
		if c.dry() {
			return usual()
		}
		c.say("level=INFO msg=noise")
		return c.fail("UPGRADE FAILED: quota exceeded")
	})
	if result := r.run(deployEvent("shop")); result.Outcome != runs.Failed {
		t.Errorf("the run has %s", result.Outcome)
	}
	s := r.status("shop")
	if s.Success || !strings.Contains(s.StatusMessage, "quota exceeded") || strings.Contains(s.StatusMessage, "noise") {
		t.Errorf("status: %+v", s)
	}
	var result struct{ Outcome, Reason string }
	if err := json.Unmarshal([]byte(r.file("result.json")), &result); err != nil || result.Outcome != "failed" || !strings.Contains(result.Reason, "quota exceeded") {
		t.Errorf("result.json: %v, %+v", err, result)
	}
}

func TestAKilledOperatorsDeployIsResumed(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "shop")
	r.accept(deployEvent("shop", secret("secrets.apiKey", "planted-key")))
	r.reach(h)
	r.restart()
	if s := r.status("shop"); !s.Success {
		t.Errorf("status: %+v", s)
	}
	if got := r.cluster.releaseHistory(namespace, releaseName("shop")); got != "1 deployed" {
		t.Errorf("the release has %q", got)
	}
	if got := r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets"); got["secrets.apiKey"] != "planted-key" {
		t.Errorf("the release's Secret has %q", got)
	}
}

func TestAnEventSurvivesItsDisk(t *testing.T) {
	r := newRig(t)
	h := r.hold("upgrade", "shop")
	r.accept(deployEvent("shop"))
	r.reach(h)
	r.freshDisk()
	if s := r.status("shop"); !s.Success {
		t.Errorf("status: %+v", s)
	}
}
