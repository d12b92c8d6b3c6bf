package story

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"octo-operator/dispatch/runs"
	"octo-operator/scripts"
)

// needs are the files that the operator has made for a script, and without which it cannot be run again.
var needs = map[string][]string{
	scripts.WorkloadDeploy: {"chart.tgz", "values.yaml"},
	scripts.PoolDeploy:     {"pool.yaml"},
}

// LastStep returns the path of the script that the run's file rerun runs; "": no script has begun.
func LastStep(run *runs.Run) string {
	text, _, err := read(run.Path("rerun"), maxInputs)
	at := strings.LastIndex(string(text), "\nexec ")
	if err != nil || at < 0 {
		return ""
	}
	line := strings.TrimSuffix(string(text[at+len("\nexec "):]), "\n")
	if strings.HasSuffix(line, "'") { // the only word that may contain spaces
		return unquoted(line[max(0, strings.Index(line, "'")):])
	}
	return line[strings.LastIndexByte(line, ' ')+1:]
}

// noRerun returns why a run's last step cannot be run again, and what to do instead; "": it can be.
func noRerun(run *runs.Run, ended bool) string {
	const instead = ": have the controller send the event again"
	missing := func(name string) bool { return !run.Has(name) }
	step, inputs := LastStep(run), Inputs(run)
	name := step[strings.LastIndexByte(step, '/')+1:]
	switch {
	case !ended:
		return "it has not ended: the operator goes on with it"
	case step == "" || missing("env"):
		return "it ended before its script began" + instead
	case name == scripts.ChartPull && inputs["OCTO_CREDENTIALS"] != "false" && missing("registry.json") && missing("repositories.yaml"):
		return "its last step, chart-pull, needs the repository's credentials, which were removed when it ended" + instead
	}
	for _, file := range []string{step, inputs["OCTO_LIB"]} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Sprintf("its script is gone (%s)%s", err, instead)
		}
	}
	if i := slices.IndexFunc(needs[name], missing); i >= 0 {
		return fmt.Sprintf("its %s is gone%s", needs[name][i], instead)
	}
	return ""
}
