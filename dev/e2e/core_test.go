package e2e

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"octo-operator/dev/devcontroller"
)

func TestNoCoreDumpCanHoldTheSecretsOfTheOperator(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", w.operator.cmd.Process.Pid))
	w.must(err)
	// The hard limit too: helm and kubectl, which inherit it, cannot raise it again.
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("its limits are\n%s", limits)
	}
}
