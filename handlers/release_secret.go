package handlers

import (
	"context"
)

// secretChange is what a deploy does to the release's Secret.
type secretChange struct {
	name   string
	wanted map[string]string // empty: there is to be none
	// foreign: the one in the cluster has keys that applying would leave there.
	foreign bool
}

// changes tells whether the cluster has another Secret than the deploy wants.
func (c secretChange) changes() bool { return len(c.wanted) > 0 }

// apply is the name of the Secret if it is to be written.
func (c secretChange) apply() string {
	if len(c.wanted) == 0 {
		return ""
	}
	return c.name
}

// planSecret writes secret.yaml.
func (h *Handlers) planSecret(_ context.Context, t *task, d *deployment) (secretChange, error) {
	c := secretChange{name: d.release.secretName(), wanted: d.document.Secrets}
	if len(c.wanted) == 0 {
		return c, nil
	}
	secret, err := secretManifest(c.name, d.release.namespace, workloadLabels(d.w.Workload),
		map[string]string{group + "/workload-name": d.w.WorkloadName}, c.wanted)
	if err != nil {
		return c, err
	}
	return c, t.Write("secret.yaml", secret)
}

func (h *Handlers) restartUsers(context.Context, *task, *deployment) error { return nil }

func (h *Handlers) removeStaleSecret(context.Context, *task, *deployment) error { return nil }
