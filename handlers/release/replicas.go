package release

import (
	"bytes"
	"fmt"
	"strconv"

	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
)

// replicaCount is the value that charts read the number of replicas from.
const replicaCount = "replicaCount"

// replicas is the number of replicas that a deploy asks for.
type replicas struct {
	value    string // of replicaCount; empty: whatever the event and the chart say
	why      string // the value is that
	disagree string // the Deployments and their counts, if the kept one is not that of all
	live     liveState
}

// chooseReplicas decides how many replicas a deploy asks for: 0 for a hibernated workload, the present number for a running one.
func chooseReplicas(w hub.WorkloadDeployed, c charts.Chart, live liveState) replicas {
	r := replicas{live: live}
	count, keep := live.keptReplicas()
	switch {
	case w.Hibernated:
		r.value, r.why = "0", "hibernated"
	case keep && knowsReplicas(w, c):
		r.value, r.why, r.disagree = strconv.Itoa(count), "that many run now", live.disagreement()
	}
	return r
}

// knowsReplicas tells whether the chart accepts the value: one that forbids unknown values would refuse it.
func knowsReplicas(w hub.WorkloadDeployed, c charts.Chart) bool {
	for _, text := range [][]byte{c.Values, c.Schema, []byte(w.ValuesYaml)} {
		if bytes.Contains(text, []byte(replicaCount)) {
			return true
		}
	}
	return false
}

// scaleTo is the number to which the Deployments are scaled just before helm runs; "": they are not scaled. Only hibernating and waking up change
// the number. If somebody has scaled before, helm does not own the field and would fail on it, so the field manager of scalings must do it.
func (r replicas) scaleTo(document merge.Result, c charts.Chart) string {
	count, err := strconv.Atoi(wanted(document, c))
	for _, live := range r.live.replicas {
		if err == nil && count != live.Replicas && (count == 0 || live.Replicas == 0) {
			return strconv.Itoa(count)
		}
	}
	return ""
}

// wakes tells whether the deploy wakes up a workload that has no replicas.
func (r replicas) wakes(document merge.Result, c charts.Chart) bool {
	_, runs := r.live.keptReplicas()
	count := r.scaleTo(document, c)
	return !runs && count != "" && count != "0"
}

// wanted is the number of replicas in the values document, or else in the chart's own values.
func wanted(document merge.Result, c charts.Chart) string {
	if count, ok := document.Values[replicaCount]; ok {
		return fmt.Sprint(count)
	}
	if values, err := merge.Parse("values.yaml", c.Values); err == nil {
		return fmt.Sprint(values[replicaCount])
	}
	return ""
}
