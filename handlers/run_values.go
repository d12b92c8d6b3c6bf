package handlers

import (
	"fmt"
	"reflect"

	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// RunValue is a single value (a leaf) of a run's values document, as helm got it.
type RunValue struct {
	merge.Origin // its Layer is "" if there would be nothing with the settings of today
	// Today is the value that the operator would set with its present settings, if that is not Value; nil: it is the same.
	Today any
}

// RunValues returns the values of a deploy's run, sorted by path, with the layer of each, and without known secrets. The values are those of the
// run's file; the layers are found by merging again. The error says what of the run cannot be read.
func (h *Handlers) RunValues(run *runs.Run) ([]RunValue, error) {
	event, err := run.Event()
	if err != nil {
		return nil, err
	}
	document, err := release.ValuesOf(run)
	if err != nil {
		return nil, fmt.Errorf("cannot read the values of run %s: %w", run.ID, err)
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return nil, fmt.Errorf("cannot read the event of run %s: %w", run.ID, err)
	}
	secrets := exec.NewRedactor(release.Secrets(h.settings, w)...)
	leaves, err := explain(merge.Input{Values: document}, "", secrets)
	if err != nil {
		return nil, fmt.Errorf("cannot read the values of run %s: %w", run.ID, err)
	}
	origins := h.originsToday(run, w, secrets)
	values := make([]RunValue, len(leaves.Values))
	for i, leaf := range leaves.Values {
		values[i].Origin = merge.Origin{Path: leaf.Path, Type: leaf.Type, Value: leaf.Value}
		if origin, found := origins[leaf.Path]; found {
			values[i].Origin = origin
			if values[i].Value = leaf.Value; !reflect.DeepEqual(origin.Value, leaf.Value) {
				values[i].Today = origin.Value
			}
		}
	}
	return values, nil
}

// originsToday are the origins of a run's values by path, with the settings of today. There are none if the values cannot be merged again.
func (h *Handlers) originsToday(run *runs.Run, w hub.WorkloadDeployed, secrets *exec.Redactor) map[string]merge.Origin {
	byPath := map[string]merge.Origin{}
	r, err := names.ReleaseOf(h.settings, w.Workload)
	if err != nil {
		return byPath
	}
	c, err := charts.Read(run.Path(charts.File))
	if err != nil {
		h.log.Debug("values are explained without the chart", "run", run.ShortID(), "reason", err)
	}
	today, err := explain(release.Layers(h.settings, w, r, c), "", secrets)
	if err != nil {
		h.log.Debug("values are not explained", "run", run.ShortID(), "reason", err)
	}
	for _, origin := range today.Values {
		byPath[origin.Path] = origin
	}
	return byPath
}
