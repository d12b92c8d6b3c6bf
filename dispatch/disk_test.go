package dispatch

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/dispatch/runs"
)

// finishedRun is one that nobody needs any more.
func (r *rig) finishedRun() *runs.Run {
	r.Helper()
	run, err := r.store.Create(deploy("shop"), "octo/shop")
	if err == nil {
		err = run.Finish(runs.Result{Outcome: runs.Succeeded}, nil)
	}
	if err != nil {
		r.Fatal(err)
	}
	return run
}

func TestAFullDiskIsEmptiedOnceButNotOfWhatTheControllerDoesNotKnow(t *testing.T) {
	r := newRig(t, Handler{})
	r.finishedRun()
	unreported := r.finishedRun()
	if err := unreported.Write(reportFile, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	var freed []bool
	r.options.FreeDisk = func(full bool) { freed = append(freed, full) }
	d := r.life()
	full, writes := fmt.Errorf("cannot write: %w", syscall.ENOSPC), 0
	err := d.disk.write(func() error { writes++; return full })
	if all, _ := r.store.List(); !errors.Is(err, full) || writes != 2 || len(all) != 1 || all[0].ID != unreported.ID || fmt.Sprint(freed) != "[true]" {
		t.Errorf("%v after %d writes; %d runs are left; freed: %v", err, writes, len(all), freed)
	}
	other := errors.New("read-only")
	if err := d.disk.write(func() error { writes++; return other }); !errors.Is(err, other) || writes != 3 {
		t.Errorf("%v after %d writes", err, writes)
	}
}

func TestAWriteThatMustNotBeForgottenIsTriedUntilItHasWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Handler{})
		d := r.life()
		writes := 0
		d.disk.retryLater(func() error {
			if writes++; writes < 3 {
				return syscall.ENOSPC
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		go d.Prune(ctx)
		time.Sleep(10 * pruneInterval)
		cancel()
		synctest.Wait()
		if writes != 3 {
			t.Errorf("%d writes", writes)
		}
	})
}

func TestAFloodOfEventsIsPrunedBeforeAMinuteIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Handler{})
		r.options.Settings.KeepRuns = 1
		d := r.life()
		go d.Prune(t.Context())
		synctest.Wait()
		r.finishedRun()
		r.finishedRun()
		for range pruneAfter {
			d.disk.eventEnded()
		}
		synctest.Wait()
		if all, err := r.store.List(); len(all) != 1 {
			t.Errorf("%d runs are left: %v", len(all), err)
		}
	})
}
