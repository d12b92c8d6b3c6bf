package handlers

import (
	"fmt"
	"reflect"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// RunValue is a leaf of the values of a run, as helm got them.
type RunValue struct {
	merge.Origin // its Layer is "" if with today's settings there would be nothing
	// Today is what the operator would set with its settings of today, if that is something else than Value; nil: it is the same.
	Today any
}

// RunValues returns the values of a deploy's run, sorted by path, with the layer of each. They are those of the run's file; the layers are
// found by merging once more. The error says what of the run cannot be read.
func (h *Handlers) RunValues(run *runs.Run) ([]RunValue, error) {
	event, err := run.Event()
	if err != nil {
		return nil, err
	}
	text, err := release.ValuesOf(run)
	if err != nil {
		return nil, fmt.Errorf("cannot read the values of run %s: %w", run.ID, err)
	}
	leaves, _, err := merge.Explain(merge.Input{Values: text})
	if err != nil {
		return nil, fmt.Errorf("cannot read the values of run %s: %w", run.ID, err)
	}
	layers := h.layersOf(run, event)
	values := make([]RunValue, len(leaves))
	for i, leaf := range leaves {
		values[i].Origin = merge.Origin{Path: leaf.Path, Value: leaf.Value}
		if origin, found := layers[leaf.Path]; found {
			values[i].Origin = origin
			if values[i].Value = leaf.Value; !reflect.DeepEqual(origin.Value, leaf.Value) {
				values[i].Today = origin.Value
			}
		}
	}
	return values, nil
}

// layersOf are the origins of a run's values by path; none, if they cannot be merged again: a script of the environment's own may have brought
// what only it can read.
func (h *Handlers) layersOf(run *runs.Run, event hub.Event) map[string]merge.Origin {
	layers := map[string]merge.Origin{}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil || event.Callback != hub.WorkloadDeploy {
		return layers
	}
	r, err := names.ReleaseOf(h.settings, w.Workload)
	if err != nil {
		return layers
	}
	c, err := charts.Read(run.Path(charts.File))
	if err != nil {
		h.log.Debug("values are explained without the chart", "run", run.ShortID(), "reason", err)
	}
	origins, _, err := merge.Explain(release.Layers(h.settings, w, r, c))
	if err != nil {
		h.log.Debug("values are not explained", "run", run.ShortID(), "reason", err)
	}
	for _, origin := range origins {
		layers[origin.Path] = origin
	}
	return layers
}
