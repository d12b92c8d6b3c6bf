package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/merge"
)

// PrintValues prints the values document of a WorkloadDeployed event, or with explain where each value in it comes from. withChart: the
// chart is pulled for it, as in a deploy.
func (h *Handlers) PrintValues(ctx context.Context, to io.Writer, event hub.Event, explain, withChart bool) error {
	// What says whose event it is, is enough for the values; where the chart comes from may be left out.
	if err := checkFields(hub.Event{Callback: hub.WorkloadUndeploy, Argument: event.Argument}, 0); err != nil {
		return fmt.Errorf("cannot merge the values: %w", err)
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return fmt.Errorf("cannot merge the values: %w", err)
	}
	release, err := releaseOf(h.settings, w.Workload)
	if err != nil {
		return err
	}
	var c chart
	if withChart {
		if c, err = h.lookAtChart(ctx, event, release, w); err != nil {
			return err
		}
	}
	in := h.releases.freshLayers(w, release, c)
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
func (h *Handlers) lookAtChart(ctx context.Context, event hub.Event, r release, w hub.WorkloadDeployed) (c chart, err error) {
	if err := checkFields(event, 0); err != nil {
		return c, fmt.Errorf("cannot pull the chart: %w", err)
	}
	err = h.aside(event, h.releases.secretsOf(w), func(t *task) error {
		c, err = h.releases.charts.fetch(ctx, t, r, w)
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
	helm, helmErr := toolVersion(context.Background(), env, "helm", "version", "--template", "{{.Version}}")
	if helmErr == nil {
		fmt.Fprintln(to, "helm", helm)
	}
	kubectl, kubectlErr := toolVersion(context.Background(), env, "kubectl", "version", "--client")
	if kubectlErr == nil {
		fmt.Fprintln(to, "kubectl", strings.TrimPrefix(kubectl, "Client Version: "))
	}
	return errors.Join(helmErr, kubectlErr)
}
