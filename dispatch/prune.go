package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	pruneInterval = time.Minute
	// pruneAfter bounds what a flood leaves on disk between two looks at the clock: so many events of 100 KB are 25 MB.
	pruneAfter = 256
)

// pruner tells when it is time to remove old runs.
type pruner struct {
	count atomic.Int64
	due   chan struct{}
}

func (p *pruner) ended() {
	if p.count.Add(1)%pruneAfter == 0 {
		select {
		case p.due <- struct{}{}:
		default:
		}
	}
}

// Prune removes old runs now and then, until ctx ends.
func (d *Dispatcher) Prune(ctx context.Context) {
	for {
		d.unkept.retry()
		if err := d.Runs.Prune(d.Settings.KeepRuns, d.Settings.KeepFailedRuns, ReportPending); err != nil {
			d.Log.Warn("old runs not removed", "reason", err)
		}
		d.Options.FreeDisk(false)
		select {
		case <-time.After(pruneInterval):
		case <-d.pruner.due:
		case <-ctx.Done():
			d.unkept.retry()
			return
		}
	}
}

// withSpace writes, and if the disk is full, makes room and writes again.
func (d *Dispatcher) withSpace(write func() error) error {
	err := write()
	if errors.Is(err, syscall.ENOSPC) {
		d.freeDisk()
		err = write()
	}
	return err
}

// freeDisk removes whatever is only kept for a person to look at: taking in events is worth more.
func (d *Dispatcher) freeDisk() {
	d.Log.Warn("the disk is full: all finished runs and charts are removed", "dir", d.Runs.Dir())
	if err := d.Runs.Prune(0, 0, ReportPending); err != nil {
		d.Log.Warn("old runs not removed", "reason", err)
	}
	d.Options.FreeDisk(true)
}

// unkept are writes that failed and must not be forgotten.
type unkept struct {
	mu     sync.Mutex
	writes []func() error
}

func (u *unkept) add(write func() error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.writes = append(u.writes, write)
}

func (u *unkept) retry() {
	u.mu.Lock()
	defer u.mu.Unlock()
	var failed []func() error
	for _, write := range u.writes {
		if write() != nil {
			failed = append(failed, write)
		}
	}
	u.writes = failed
}
