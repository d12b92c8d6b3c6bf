package e2e

import (
	"net/http"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
	"octo-operator/dispatch/runs"
)

func TestATimelineAndTheMetricsTellWhatADeployTook(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	metrics := strings.TrimSuffix(w.probe(), "/health/ready") + "/metrics"
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "replicaCount: 1"
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitUntilReadiness(metrics, http.StatusOK, `octo_operator_events_total{callback="WorkloadDeployed",outcome="succeeded"} 1`)
	dir := w.runDir("workload-deployed")
	moments := (&runs.Run{ID: "deploy", Dir: dir}).Timeline()
	var kinds, phases, commands []string
	var exit runs.Moment
	for _, m := range moments { // with a busy API server the deploy may be tried again: the last try counts
		kinds = append(kinds, string(m.Kind))
		switch m.Kind {
		case runs.KindPhase:
			phases = append(phases, m.Name)
		case runs.KindCommand:
			commands = append(commands, m.Name)
		case runs.KindExit:
			exit = m
		}
	}
	// As a child of the script's shell, helm takes more than 40 MiB and some tenths of a second.
	if exit.ExitCode == nil || *exit.ExitCode != 0 || exit.CPU < 0.05 || exit.Memory < 40<<20 {
		t.Errorf("the script's end is %+v", exit)
	}
	if got := strings.Join(phases, " "); !strings.HasSuffix(got, "look chart values check install ready settle") {
		t.Errorf("its phases are %s", got)
	}
	if n := len(commands); n < 4 || !strings.Contains(commands[n-4], "helm template ") || !strings.Contains(commands[n-1], "helm upgrade ") {
		t.Errorf("its commands are %q", commands)
	}
	if kinds[0] != string(runs.KindAccepted) || kinds[len(kinds)-1] != string(runs.KindEnd) {
		t.Errorf("it goes %s", strings.Join(kinds, " "))
	}
	for _, line := range []string{
		`octo_operator_phase_seconds_count{phase="install"} 1`,
		`octo_operator_script_memory_bytes_bucket{script="workload-deploy",le="3.3554432e+07"} 0`,
		`octo_operator_waiting_events{reason="retry"} 0`,
		`octo_operator_running_events 0`,
	} {
		w.waitUntilReadiness(metrics, http.StatusOK, line)
	}
}
