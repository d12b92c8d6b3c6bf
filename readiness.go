package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"octo-operator/runs"
	"octo-operator/web"
)

// readiness decides what the probe says. Not ready means to Kubernetes: send nothing here, and keep the pod that this one is
// to replace. Both must be true of a reason to answer 503:
//
//   - The webhooks cannot be served (address, certificate), or the operator ends.
//   - It has never been able to work: a rolling update to a pod that lacks helm or has a disk it cannot write to must not take
//     the old one away.
//
// Everything else is told with 200, by the log and by octo_operator_able_to_work. Not ready for it would take the webhooks
// away, and with them every change of every pool in the cluster, and mend nothing. That goes for a disk that is full later
// on, for the controller and the API server, and for another operator that still has the volume: a rolling update ends that
// one only when this one is ready.
type readiness struct {
	server *web.Server
	away   func() error // who cannot be reached now
	log    *slog.Logger

	newest atomic.Pointer[error] // what keeps the operator from its work; nil: nobody has looked yet
	worked atomic.Bool           // nothing kept it, at least once
	ending atomic.Bool
}

// readinessInterval: a look writes to disk, and so is not taken at each probe.
const readinessInterval = 5 * time.Second

// watch looks again and again until ctx ends.
func (r *readiness) watch(ctx context.Context, look func() error) {
	for ctx.Err() == nil {
		r.found(look())
		select {
		case <-ctx.Done():
		case <-time.After(readinessInterval):
		}
	}
}

// found keeps what keeps the operator from its work, nil for nothing, and logs what has changed.
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

// tell is what the probe says.
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

// able is the metric: nothing of the operator's own keeps it from its work.
func (r *readiness) able() bool {
	own := r.newest.Load()
	return own != nil && *own == nil && r.server.Unable() == nil
}
