package release

import (
	"bytes"
	"fmt"
	"strconv"

	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
)

// replicaCount is the value that charts read the number of replicas from.
const replicaCount = "replicaCount"

// replicas is how many a deploy asks for.
type replicas struct {
	Value    string // of replicaCount; empty: whatever the event and the chart say
	why      string
	disagree string // the Deployments and their counts, if the kept one is not that of all
	live     []kube.DeploymentReplicas
}

// ChooseReplicas: a hibernated workload has none, and one that runs keeps what it runs with.
func ChooseReplicas(w hub.WorkloadDeployed, c charts.Chart, found Installed) replicas {
	r := replicas{live: found.replicas}
	count, keep := found.keptReplicas()
	switch {
	case w.Hibernated:
		r.Value, r.why = "0", "hibernated"
	case keep && knowsReplicas(w, c):
		r.Value, r.why, r.disagree = strconv.Itoa(count), "that many run now", found.disagreement()
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
	for _, live := range r.live {
		if err == nil && count != live.Replicas && (count == 0 || live.Replicas == 0) {
			return strconv.Itoa(count)
		}
	}
	return ""
}

// wakes tells whether a workload that has no replicas gets some.
func (r replicas) wakes(document merge.Result, c charts.Chart) bool {
	_, runs := Installed{replicas: r.live}.keptReplicas()
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
