package handlers_test

import (
	"testing"

	"octo-operator/hub"
)

func TestHelmItselfWaitsOnlyWhereHooksComeAfterThePods(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, text string
		waits            bool
	}{
		{"none", "templates/job.yaml", "kind: Job", false},
		{"before", "templates/job.yaml", `"helm.sh/hook": pre-install,pre-upgrade`, false},
		{"after", "templates/job.yaml", `"helm.sh/hook": post-upgrade`, true},
		{"in-a-subchart", "charts/db/templates/hooks/job.yaml", `helm.sh/hook: "pre-install,post-install"`, true},
		{"a-word-in-a-readme", "README.md", `"helm.sh/hook": post-upgrade`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.charts.add(test.name, "1.0.0", map[string]string{test.file: test.text})
			r.deploy("shop", version("1.0.0"), func(w *hub.WorkloadDeployed) { w.ChartName = test.name })
			if got := r.called("helm upgrade")[0].has("wait"); got != test.waits {
				t.Errorf("helm waits: %v", got)
			}
		})
	}
}

func TestAWorkloadThatCannotBePutToSleepIsSaidToBeAwake(t *testing.T) {
	r := newRig(t)
	r.charts.add("closed", "1.0.0", map[string]string{"values.schema.json": `{"additionalProperties": false, "properties": {"colour": {}}}`})
	r.wantFailure(r.run(deployEvent("shop", version("1.0.0"), func(w *hub.WorkloadDeployed) { w.ChartName, w.Hibernated = "closed", true })),
		"shop", "cannot put the workload to sleep", "replicaCount")
}
