package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"octo-operator/dispatch/runs"
)

const (
	pruneInterval = time.Minute
	// pruneAfter bounds what a flood leaves on disk between two looks at the clock: so many events of 100 KB are 25 MB.
	pruneAfter = 256
)

// disk keeps free space for events on the operator's disk, and repeats failed writes that must not be lost.
type disk struct {
	runs       *runs.Store
	keep       int           // so many finished runs
	keepFailed time.Duration // and failed ones for so long
	freeCharts func(full bool)
	log        *slog.Logger

	ended    atomic.Int64
	pruneNow chan struct{}

	mu     sync.Mutex
	failed []func() error // writes that are tried again
}

func newDisk(o Options) *disk {
	return &disk{
		runs: o.Runs, keep: o.Settings.KeepRuns, keepFailed: o.Settings.KeepFailedRuns, freeCharts: o.FreeDisk, log: o.Log,
		pruneNow: make(chan struct{}, 1),
	}
}

// write calls a function that writes. If the disk is full, it makes space and calls it again. The error is the function's.
func (d *disk) write(write func() error) error {
	err := write()
	if errors.Is(err, syscall.ENOSPC) {
		d.makeRoom()
		err = write()
	}
	return err
}

// makeRoom removes everything that is kept only for people or for speed: accepting events is more important.
func (d *disk) makeRoom() {
	d.log.Warn("the disk is full: all finished runs and charts are removed", "dir", d.runs.Dir())
	d.prune(0, 0)
	d.freeCharts(true)
}

// prune removes finished runs, except those to keep and those whose report the controller does not have yet.
func (d *disk) prune(keep int, keepFailed time.Duration) {
	if err := d.runs.Prune(keep, keepFailed, ReportPending); err != nil {
		d.log.Warn("old runs not removed", "reason", err, "next", "it is tried again every minute")
	}
}

// tidy prunes every minute and after each pruneAfter events, and tries failed writes again, until ctx ends.
func (d *disk) tidy(ctx context.Context) {
	for {
		d.retryWrites()
		d.prune(d.keep, d.keepFailed)
		d.freeCharts(false)
		select {
		case <-time.After(pruneInterval):
		case <-d.pruneNow:
		case <-ctx.Done():
			d.retryWrites()
			return
		}
	}
}

// eventEnded counts towards pruneAfter.
func (d *disk) eventEnded() {
	if d.ended.Add(1)%pruneAfter == 0 {
		select {
		case d.pruneNow <- struct{}{}:
		default: // it is due already
		}
	}
}

// retryLater is for a write that has failed and must not be forgotten.
func (d *disk) retryLater(write func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = append(d.failed, write)
}

func (d *disk) retryWrites() {
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed []func() error
	for _, write := range d.failed {
		if write() != nil {
			failed = append(failed, write)
		}
	}
	d.failed = failed
}
