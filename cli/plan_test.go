package cli

import (
	"bytes"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/handlers/release"
	"octo-operator/merge"
)

func TestAPlanReadsFromTheShortestToTheLongest(t *testing.T) {
	for name, p := range map[string]release.Preview{
		"plan-upgrade.txt": {
			Release: "acme-65d5c447b420da3fb12381c1", Namespace: "octo", Chart: "demo-app", Version: "1.2.0", Action: release.ActionUpgrade, Changing: true,
			Summary: "1 object changed: Deployment image 1.2→1.3", Diff: "1 object changed: Deployment image 1.2→1.3\n\n--- Deployment octo/web (live)\n+++ Deployment octo/web (after the deploy)\n@@ -1,1 +1,1 @@\n-image: 1.2\n+image: 1.3\n",
			Restarts: []release.Restart{{Workload: "Deployment octo/web", Why: "its pod template changes"}}, Hooks: []string{"Job web-migrate (pre-upgrade)"},
			Notes:   []string{"this environment has a workload-deploy of its own: it may do something else than the plan says"},
			Values:  []merge.Origin{{Path: "image.tag", Layer: "values", Value: "1.3"}, {Path: "imgae.tag", Layer: "values", Value: "1.4", Unknown: "imgae"}, {Path: "tenantId", Layer: "context", Value: "ac\x1b[2Jme"}},
			LeftOut: []merge.LeftOut{{Path: "dash0.endpoint", Layer: "context", Reason: "the chart does not take it"}},
		},
		"plan-refused.txt": {
			Release: "acme-65d5c447b420da3fb12381c1", Namespace: "octo", Chart: "demo-app", Refused: "the field spec.replicas of Deployment web is kubectl's\nthe tool's own words:\nApply failed",
		},
	} {
		var to bytes.Buffer
		printPlan(&to, p)
		if strings.Contains(to.String(), "\x1b") {
			t.Errorf("%s: a terminal would obey it", name)
		}
		fixtures.Golden(t, name, to.Bytes())
	}
}

func TestAPlanIsOfOneEventInAFormThatIsKnown(t *testing.T) {
	for want, args := range map[string][]string{
		"-o is json":               {"plan", "-o", "xml"},
		"--run goes without FILE":  {"plan", "--run", "5aab46", "event.json"},
		"cannot read the argument": {"plan", "/does/not/exist.json"},
	} {
		cmd := Command("test", nil)
		cmd.SetArgs(args)
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) || ExitCode(err) != 1 {
			t.Errorf("%q: %v", args, err)
		}
	}
}
