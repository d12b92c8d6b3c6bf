package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// The official chart's default values have no controller.
func TestWithoutAControllerItServesAndConnectsToNothing(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	w.env = append(w.env, "OPERATOR__COMMUNICATIONCONTROLLERURI=", "OPERATOR__POOLNAMSPACE=planted-value")
	w.launch()
	w.waitUntilReadiness(ready, http.StatusOK, "set OPERATOR__COMMUNICATIONCONTROLLERURI")
	w.waitForLog(1, "no events are taken", map[string]string{"level": "WARN"})
	w.waitForLog(1, "check the settings", map[string]string{"reason": "OPERATOR__POOLNAMSPACE is not a setting: do you mean OPERATOR__POOLNAMESPACE?"})
	w.stop(w.operator)
	if code := w.operator.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if strings.Contains(w.operator.text(), "planted-value") {
		t.Error("the value of an unknown name is in the log")
	}
}

// With a wrong setting of this kind, events would be deployed to the wrong place, or for the wrong controller: so nothing is deployed.
func TestAWrongSettingThatDecidesKeepsItFromConnectingNotFromServing(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"OPERATOR__PLATFORMNAMESPACE=Platform", "OPERATOR__AUTOMANAGEPOOLS=yes", "OPERATOR__COMMUNICATIONCONTROLLERURI=controller:80",
		"OPERATOR__IRONOCRLICENSEKEY__FILE=/not/there",
	} {
		t.Run(setting, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			ready := w.probe()
			w.env = append(w.env, setting)
			w.launch()
			name, _, _ := strings.Cut(setting, "=")
			w.waitUntilReadiness(ready, http.StatusServiceUnavailable, name+": ")
			w.waitUntilReadiness(strings.Replace(ready, "ready", "live", 1), http.StatusOK, "alive")
			records := w.waitForLog(1, "the operator connects to nothing", map[string]string{"level": "ERROR"})
			if reason := fmt.Sprint(records[0]["reason"]); !strings.Contains(reason, name+": ") {
				t.Errorf("the log says %s", reason)
			}
			w.stop(w.operator)
			if code := w.operator.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			if n := len(w.controller.Connections()); n > 0 {
				t.Errorf("it has connected %d times", n)
			}
		})
	}
}
