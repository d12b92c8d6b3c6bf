package story

import "octo-operator/dispatch/runs"

var phaseWords = map[string]string{
	runs.PhaseLook:     "looks whose release it is and what the cluster has",
	runs.PhaseChart:    "gets the chart",
	runs.PhaseValues:   "merges the values",
	runs.PhaseCheck:    "tries it without changing anything",
	runs.PhaseInstall:  "helm upgrade",
	runs.PhaseReady:    "looks at the pods",
	runs.PhaseSettle:   "restarts what uses a changed secret",
	runs.PhaseRollback: "takes back what has failed",
	runs.PhaseRun:      "runs its script",
}

var waitWords = map[string]string{
	runs.WaitLane:   "waits for the event before it",
	runs.WaitSlot:   "waits for a slot",
	runs.WaitTenant: "waits for the tenant's update, or for what the tenant has in flight",
	runs.WaitLeader: "waits until this operator leads",
	runs.WaitCopy:   "waits until the API server takes its copy",
	runs.WaitPods:   "waits for pods",
	runs.WaitRetry:  "waits for the next try",
}

// PhaseWords says what a run does in a phase, one of runs.Phase…; an unknown one is returned as it is.
func PhaseWords(phase string) string { return words(phaseWords, phase) }

// WaitWords says what a run waits for, one of runs.Wait…; an unknown one is returned as it is.
func WaitWords(wait string) string { return words(waitWords, wait) }

func words(known map[string]string, name string) string {
	if words, is := known[name]; is {
		return words
	}
	return name
}
