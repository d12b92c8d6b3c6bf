package handlers

import (
	"context"
	"errors"
	"fmt"
	"os"

	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/handlers/check"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
)

// Plan finds out what a WorkloadDeployed event would do, without changing anything in the cluster. chart is the archive to use; "": the chart is
// pulled. A deploy that would be refused is no error: see release.Preview. An error means that it is not known what would happen.
func (h *Handlers) Plan(ctx context.Context, event hub.Event, chart string) (p release.Preview, err error) {
	if event.Callback != hub.WorkloadDeployedCallback {
		return p, fmt.Errorf("cannot plan %s: only deploys of workloads (%s) have a plan", event.Callback, hub.WorkloadDeployedCallback)
	}
	if err := check.Event(event, 0); err != nil {
		return release.Preview{Refused: err.Error()}, nil
	}
	w, err := hub.Decode[hub.WorkloadDeployed](event.Argument)
	if err != nil {
		return p, fmt.Errorf("cannot plan the deploy: %w", err)
	}
	if chart == "" && w.RepositoryPassword == hub.RemovedSecret {
		return p, errors.New("cannot plan the deploy: the password of the chart's repository was removed when the run ended, and its chart is not kept: plan the event itself")
	}
	secrets := release.Secrets(h.settings, w)
	if exec.NewRedactor(secrets...).Full() {
		return release.Preview{Refused: errTooManySecrets.Error()}, nil
	}
	err = h.WithScratchTask(event, secrets, func(t *dispatch.Task) error {
		if chart != "" {
			archive, err := os.ReadFile(chart)
			if err == nil {
				err = t.Write(charts.File, archive)
			}
			if err != nil {
				return fmt.Errorf("cannot plan the deploy: %w", err)
			}
			t.HasChart = true
		}
		p, err = h.releases.Preview(ctx, t, w)
		return err
	})
	return p, err
}
