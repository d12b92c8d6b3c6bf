package handlers

import (
	"context"
	"fmt"
	"io"

	"octo-operator/dispatch"
	"octo-operator/handlers/check"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// PrintValues prints the values document of a WorkloadDeployed event as YAML, without secrets. withChart: the chart is pulled first, as in a
// deploy; otherwise the document is made without it. Nothing is deployed.
func (h *Handlers) PrintValues(ctx context.Context, to io.Writer, event hub.Event, withChart bool) error {
	layers, _, err := h.layersOf(ctx, event, withChart)
	if err != nil {
		return err
	}
	document, err := merge.Document(layers)
	if err != nil {
		return err
	}
	_, err = to.Write(document.YAML)
	return err
}

// layersOf returns the layers of an event's values, and the secrets that are known of it.
func (h *Handlers) layersOf(ctx context.Context, event hub.Event, withChart bool) (layers merge.Input, secrets []string, err error) {
	// What says whose event it is, is enough for the values; where the chart comes from may be left out.
	if err := check.Fields(hub.Event{Callback: hub.WorkloadUndeployedCallback, Argument: event.Argument}, 0); err != nil {
		return layers, nil, fmt.Errorf("cannot merge the values: %w", err)
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return layers, nil, fmt.Errorf("cannot merge the values: %w", err)
	}
	r, err := names.ReleaseOf(h.settings, w.Workload)
	if err != nil {
		return layers, nil, err
	}
	var c charts.Chart
	if withChart {
		if c, err = h.fetchChart(ctx, event, r, w); err != nil {
			return layers, nil, err
		}
	}
	return release.Layers(h.settings, w, r, c), release.Secrets(h.settings, w), nil
}

// fetchChart pulls the chart into a temporary run directory.
func (h *Handlers) fetchChart(ctx context.Context, event hub.Event, r names.Release, w hub.WorkloadDeployed) (c charts.Chart, err error) {
	if err := check.Fields(event, 0); err != nil {
		return c, fmt.Errorf("cannot pull the chart: %w", err)
	}
	err = h.WithScratchTask(event, release.Secrets(h.settings, w), func(t *dispatch.Task) error {
		c, err = h.releases.Charts.Fetch(ctx, t, r, w)
		return err
	})
	return c, err
}
