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

// PrintValues prints the values document of a WorkloadDeployed event as YAML, without secrets; or with explain, instead, a line for each value
// with its path and where it comes from, and for each that is left out why. withChart pulls the chart for that, as a deploy does; else no
// chart is looked at. Nothing is deployed.
func (h *Handlers) PrintValues(ctx context.Context, to io.Writer, event hub.Event, explain, withChart bool) error {
	// What says whose event it is, is enough for the values; where the chart comes from may be left out.
	if err := check.Fields(hub.Event{Callback: hub.WorkloadUndeploy, Argument: event.Argument}, 0); err != nil {
		return fmt.Errorf("cannot merge the values: %w", err)
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return fmt.Errorf("cannot merge the values: %w", err)
	}
	r, err := names.ReleaseOf(h.settings, w.Workload)
	if err != nil {
		return err
	}
	var c charts.Chart
	if withChart {
		if c, err = h.fetchChart(ctx, event, r, w); err != nil {
			return err
		}
	}
	layers := release.Layers(h.settings, w, r, c)
	if explain {
		return printOrigins(to, layers)
	}
	document, err := merge.Document(layers)
	if err != nil {
		return err
	}
	_, err = to.Write(document.YAML)
	return err
}

// fetchChart pulls the chart into a run directory that is gone afterwards.
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

// printOrigins prints the layer of each value, and then what the chart does not take and why.
func printOrigins(to io.Writer, layers merge.Input) error {
	origins, leftOut, err := merge.Explain(layers)
	for _, o := range origins {
		if _, err := fmt.Fprintf(to, "%s\t%s\n", o.Path, o.Layer); err != nil {
			return err
		}
	}
	for _, l := range leftOut {
		if _, err := fmt.Fprintf(to, "%s\t%s, left out: %s\n", l.Path, l.Layer, l.Reason); err != nil {
			return err
		}
	}
	return err
}
