package handlers

import (
	"context"
	"errors"
	"fmt"
	osexec "os/exec"
	"time"

	"octo-operator/dispatch"
)

// Ready says what keeps the operator itself from working now: a missing tool, a script, the state directory. nil: nothing. It writes to disk, so
// do not call it for each probe.
func (h *Handlers) Ready() error {
	var errs []error
	for _, tool := range []string{"helm", "kubectl"} {
		if _, err := osexec.LookPath(tool); err != nil {
			errs = append(errs, fmt.Errorf("cannot run %s: it is not on PATH", tool))
		}
	}
	return errors.Join(append(errs, h.runs.Check(), h.scripts.Check())...)
}

// ClusterAway says why the API server could not be reached when WatchCluster asked last; nil: it could be reached, or was not asked yet.
func (h *Handlers) ClusterAway() error {
	if reason := h.clusterAway.Load(); reason != nil {
		return *reason
	}
	return nil
}

const (
	clusterInterval = 10 * time.Second
	// clusterTimeout is shorter than a probe's interval: an API server that takes longer is of no use.
	clusterTimeout = 5 * time.Second
)

// WatchCluster asks every clusterInterval whether the API server answers, until ctx ends. ClusterAway has the answer, so that a probe, which has
// a second, need not wait for it.
func (h *Handlers) WatchCluster(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		err := h.cluster.Ready(asking)
		cancel()
		if err != nil {
			h.clusterAway.Store(&err)
		} else {
			h.clusterAway.Store(nil)
		}
		_ = dispatch.Sleep(ctx, clusterInterval)
	}
}
