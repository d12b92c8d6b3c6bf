package handlers

import (
	"context"
	"errors"
	"fmt"

	"octo-operator/dispatch"

	osexec "os/exec"
	"time"
)

// Ready says everything of the operator's own that keeps it from its work now: a tool, a script, the state directory. It
// writes to disk.
func (h *Handlers) Ready() error {
	var errs []error
	for _, tool := range []string{"helm", "kubectl"} {
		if _, err := osexec.LookPath(tool); err != nil {
			errs = append(errs, fmt.Errorf("cannot run %s: it is not on PATH", tool))
		}
	}
	return errors.Join(append(errs, h.runs.Check(), h.scripts.Check())...)
}

// ClusterAway says why the API server could not be reached at the last look; nil: it could.
func (h *Handlers) ClusterAway() error {
	if reason := h.cluster.Load(); reason != nil {
		return *reason
	}
	return nil
}

const (
	clusterInterval = 10 * time.Second
	// clusterTimeout is shorter than a probe's interval: an API server that takes longer is of no use.
	clusterTimeout = 5 * time.Second
)

// WatchCluster looks now and then whether the API server answers, until ctx ends. Not when the probe comes: that has a second.
func (h *Handlers) WatchCluster(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		err := h.kubectl.Ready(asking)
		cancel()
		if err != nil {
			h.cluster.Store(&err)
		} else {
			h.cluster.Store(nil)
		}
		_ = dispatch.Sleep(ctx, clusterInterval)
	}
}
