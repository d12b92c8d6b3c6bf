package handlers

import (
	"context"
	"errors"
	"fmt"
	osexec "os/exec"
	"time"

	"octo-operator/dispatch"
)

// Ready says everything of the operator's own that keeps it from its work now: a tool that is missing, a script, the state directory. nil:
// nothing does. It writes to disk, so it is not for each probe.
func (h *Handlers) Ready() error {
	var errs []error
	for _, tool := range []string{"helm", "kubectl"} {
		if _, err := osexec.LookPath(tool); err != nil {
			errs = append(errs, fmt.Errorf("cannot run %s: it is not on PATH", tool))
		}
	}
	return errors.Join(append(errs, h.runs.Check(), h.scripts.Check())...)
}

// ClusterAway says why the API server could not be reached when WatchCluster looked last; nil: it could, or nobody has looked yet.
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

// WatchCluster looks every clusterInterval whether the API server answers, until ctx ends. A probe does not wait for such a look: it has a
// second.
func (h *Handlers) WatchCluster(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, clusterTimeout)
		err := h.kubectl.Ready(asking)
		cancel()
		if err != nil {
			h.clusterAway.Store(&err)
		} else {
			h.clusterAway.Store(nil)
		}
		_ = dispatch.Sleep(ctx, clusterInterval)
	}
}
