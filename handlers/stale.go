package handlers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// orphanAge is when a pending revision is taken for orphaned whoever made it. A live helm of somebody else's may well wait
// for minutes; twice helm's default timeout is the contract's measure.
const orphanAge = 10 * time.Minute

// window is when a helm of ours worked on a release and did not end well. No other of ours works on it then.
type window struct{ from, to time.Time }

// deaths remembers the last such window of each release. A helm that is killed leaves its revision pending, and every
// later helm refuses with "another operation is in progress".
type deaths struct {
	mu      sync.Mutex
	windows map[string]window // by namespace/release
}

// add remembers a window; one that touches the last one widens it: of several events that a killed life has left in a lane,
// the first may have been at work.
func (d *deaths) add(lane string, w window) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.windows == nil {
		d.windows = map[string]window{}
	}
	if last, ok := d.windows[lane]; ok && !last.to.Before(w.from) && last.from.Before(w.from) {
		w.from = last.from
	}
	d.windows[lane] = w
}

// clockSkew is how far the clocks of the operator's node and of the API server may be apart.
const clockSkew = 5 * time.Second

func (d *deaths) covers(lane string, t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.windows[lane]
	return ok && !t.Before(w.from.Add(-clockSkew)) && !t.After(w.to.Add(clockSkew))
}

// stale is what a dead helm has left of a release, and what every later helm would trip over.
type stale struct {
	secret    string // of a pending revision: to be deleted
	uninstall bool   // it was in the middle of uninstalling: to be brought to its end
}

// stale looks at the release's newest revision. One that is not ended is an error unless it is provably orphaned: it is old,
// or a helm of ours left it that is dead. Otherwise its helm may be alive.
func (h *Handlers) stale(ctx context.Context, r release, labels map[string]string) (stale, error) {
	status := labels["status"]
	if !strings.HasPrefix(status, "pending-") && status != "uninstalling" {
		return stale{}, nil
	}
	secret := "sh.helm.release.v1." + r.name + ".v" + labels["version"]
	// Not Helm's own label modifiedAt: Helm 4.3.1 hands it down from revision to revision, so it may be days old.
	changed, err := h.kubectl.Changed(ctx, r.namespace, "secrets", secret)
	if err != nil {
		return stale{}, fmt.Errorf("cannot find out since when release %s is %s: %w", r.name, status, err)
	}
	if err := h.orphaned(r, status, changed, time.Now()); err != nil {
		return stale{}, err
	}
	if status == "uninstalling" {
		return stale{uninstall: true}, nil
	}
	return stale{secret: secret}, nil
}

// orphaned is an error unless the revision that was last changed then is provably nobody's.
func (h *Handlers) orphaned(r release, status string, changed, now time.Time) error {
	if now.Sub(changed) > orphanAge || h.deaths.covers(r.lane(), changed) {
		return nil
	}
	return fmt.Errorf("release %s in namespace %s is %s since %s: another helm works on it; if that one is dead, deploy again after %s, when it counts as orphaned",
		r.name, r.namespace, status, changed.UTC().Format(time.RFC3339), changed.Add(orphanAge).UTC().Format(time.RFC3339))
}
