package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/web"
)

// readiness decides the answer of /health/ready. To Kubernetes, not ready means: send nothing to this pod, and keep the pod that it is to
// replace. So the answer is "not ready" only in these cases:
//
//   - The webhooks cannot be served (address, certificate), or the operator is ending.
//   - The operator has never been able to work: if the new pod lacks helm, or cannot write to its disk, a rolling update must not remove
//     the old one.
//
// Everything else is reported with status 200, in the log and by octo_operator_able_to_work: a disk that becomes full, a controller or an
// API server that cannot be reached, and another operator that still uses the volume (a rolling update ends that one only when this one
// is ready). If the pod were not ready then, it would not help, and the webhooks would be gone, so that no pool could be changed in the
// whole cluster.
type readiness struct {
	server *web.Server
	away   func() error // see daemon.away
	log    *slog.Logger

	newest atomic.Pointer[error] // result of the last check: why the operator cannot work; nil pointer: there was no check yet
	worked atomic.Bool           // the operator was able to work at least once
	ending atomic.Bool
}

// readinessInterval is how often it is checked whether the operator can work. A probe does not check, because the check writes to the
// disk.
const readinessInterval = 5 * time.Second

// watch calls check every readinessInterval until ctx ends.
func (r *readiness) watch(ctx context.Context, check func() error) {
	for ctx.Err() == nil {
		r.found(check())
		select {
		case <-ctx.Done():
		case <-time.After(readinessInterval):
		}
	}
}

// found records why the operator cannot work (nil: it can), and logs it if that has changed.
func (r *readiness) found(err error) {
	before := r.newest.Swap(&err)
	switch {
	case err != nil && (before == nil || *before == nil || (*before).Error() != err.Error()):
		r.log.Error("the operator cannot work", "reason", err, "looks_again_in", readinessInterval.String())
	case err == nil && before != nil && *before != nil:
		r.log.Info("the operator can work again")
	}
	if err == nil {
		r.worked.Store(true)
	}
}

// tell returns the answer of the probe.
func (r *readiness) tell() web.Readiness {
	unable, trouble := r.server.Unable(), errors.Join(r.server.Trouble(), r.away())
	switch own := r.newest.Load(); {
	case r.ending.Load():
		unable = errors.Join(errors.New("the operator is ending: it takes no more events"), unable)
	case own == nil:
		unable = errors.Join(errors.New("the operator is starting"), unable)
	case r.worked.Load() || errors.Is(*own, runs.ErrLocked):
		trouble = errors.Join(*own, trouble)
	default:
		unable = errors.Join(*own, unable)
	}
	return web.Readiness{Unable: unable, Trouble: trouble}
}

// able tells whether the operator can work, apart from peers that cannot be reached. It is a metric.
func (r *readiness) able() bool {
	own := r.newest.Load()
	return own != nil && *own == nil && r.server.Unable() == nil
}
