package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/handlers/check"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// PrintValues prints the values document of a WorkloadDeployed event, or with explain where each value in it comes from. withChart: the
// chart is pulled for it, as in a deploy.
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
		if c, err = h.lookAtChart(ctx, event, r, w); err != nil {
			return err
		}
	}
	in := release.Layers(h.settings, w, r, c)
	if explain {
		return printOrigins(to, in)
	}
	document, err := merge.Document(in)
	if err != nil {
		return err
	}
	_, err = to.Write(document.YAML)
	return err
}

// lookAtChart pulls the chart into a directory that is gone afterwards.
func (h *Handlers) lookAtChart(ctx context.Context, event hub.Event, r names.Release, w hub.WorkloadDeployed) (c charts.Chart, err error) {
	if err := check.Fields(event, 0); err != nil {
		return c, fmt.Errorf("cannot pull the chart: %w", err)
	}
	err = h.WithScratchTask(event, release.Secrets(h.settings, w), func(t *dispatch.Task) error {
		c, err = h.releases.Charts.Fetch(ctx, t, r, w)
		return err
	})
	return c, err
}

// printOrigins prints the layer of each value, and then what the chart does not take.
func printOrigins(to io.Writer, in merge.Input) error {
	origins, leftOut, err := merge.Explain(in)
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

// PrintToolVersions prints what the helm and kubectl on PATH say of themselves.
func PrintToolVersions(to io.Writer, environ []string) error {
	env := exec.AllowEnv(environ, exec.DefaultEnv...)
	helm, helmErr := release.ToolVersion(context.Background(), env, "helm", "version", "--template", "{{.Version}}")
	if helmErr == nil {
		fmt.Fprintln(to, "helm", helm)
	}
	kubectl, kubectlErr := release.ToolVersion(context.Background(), env, "kubectl", "version", "--client")
	if kubectlErr == nil {
		fmt.Fprintln(to, "kubectl", strings.TrimPrefix(kubectl, "Client Version: "))
	}
	return errors.Join(helmErr, kubectlErr)
}
