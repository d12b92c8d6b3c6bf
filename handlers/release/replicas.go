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

// replicas is how many a deploy asks for.
type replicas struct {
	value    string // of replicaCount; empty: whatever the event and the chart say
	why      string // the value is that
	disagree string // the Deployments and their counts, if the kept one is not that of all
	live     liveState
}

// chooseReplicas finds out how many replicas a deploy asks for: none for a hibernated workload, and for one that runs what it runs with.
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

// knowsReplicas tells whether the value means anything to the chart: one that forbids unknown values would refuse it.
func knowsReplicas(w hub.WorkloadDeployed, c charts.Chart) bool {
	for _, text := range [][]byte{c.Values, c.Schema, []byte(w.ValuesYaml)} {
		if bytes.Contains(text, []byte(replicaCount)) {
			return true
		}
	}
	return false
}

// scaleTo is the count to which the Deployments are scaled just before helm runs; empty: they are left alone. Only going
// to sleep and waking up change the count. If somebody has scaled before, the field is not helm's, and helm would fail on
// it: what scales must be the same as what scaled.
func (r replicas) scaleTo(document merge.Result, c charts.Chart) string {
	count, err := strconv.Atoi(wanted(document, c))
	for _, live := range r.live.replicas {
		if err == nil && count != live.Replicas && (count == 0 || live.Replicas == 0) {
			return strconv.Itoa(count)
		}
	}
	return ""
}

// wakes tells whether a workload that has no replicas gets some.
func (r replicas) wakes(document merge.Result, c charts.Chart) bool {
	_, runs := r.live.keptReplicas()
	count := r.scaleTo(document, c)
	return !runs && count != "" && count != "0"
}

// wanted is the count in the values document or else in the chart's own values.
func wanted(document merge.Result, c charts.Chart) string {
	if count, ok := document.Values[replicaCount]; ok {
		return fmt.Sprint(count)
	}
	if values, err := merge.Parse("values.yaml", c.Values); err == nil {
		return fmt.Sprint(values[replicaCount])
	}
	return ""
}
