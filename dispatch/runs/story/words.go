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
	runs.WaitCopy:   "waits until the cluster has its copy",
	runs.WaitPods:   "waits for pods",
	runs.WaitRetry:  "waits for the next try",
}

// PhaseWords says what a run does in a phase, one of runs.Phase…; an unknown phase is returned as it is.
func PhaseWords(phase string) string { return words(phaseWords, phase) }

// WaitWords says what a run waits for, by a moment of the kind wait: the moment's own text, if it has one.
func WaitWords(m runs.Moment) string {
	switch known := words(waitWords, m.Name); {
	case m.Text == "":
		return known
	case m.Name == runs.WaitRetry, m.Name == runs.WaitSlot:
		return known + ": " + m.Text
	}
	return "waits for " + m.Text
}

func words(known map[string]string, name string) string {
	if words, is := known[name]; is {
		return words
	}
	return name
}
