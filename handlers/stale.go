package handlers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"octo-operator/kube"
	"octo-operator/scripts"
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

// usable is recover for a release that is about to be worked on: it returns the labels of the newest revision there is then.
func (h *Handlers) usable(ctx context.Context, t *task, r release, labels map[string]string) (map[string]string, error) {
	if !blocked(labels["status"]) {
		return labels, nil
	}
	if err := h.recover(ctx, t, r, labels); err != nil {
		return nil, err
	}
	return h.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
}

// blocked tells whether every helm refuses to work on a release with that status.
func blocked(status string) bool {
	return strings.HasPrefix(status, "pending-") || status == "uninstalling"
}

// recover clears what a dead helm has left of a release: it leaves its newest revision pending, or the release uninstalling,
// and every later helm refuses to work on it. It is an error unless the helm is provably dead: the revision is old, or was
// changed last while a helm of ours worked on it that has not ended well. labels are those of the newest revision.
func (h *Handlers) recover(ctx context.Context, t *task, r release, labels map[string]string) error {
	status := labels["status"]
	if !blocked(status) {
		return nil
	}
	secret := kube.RevisionSecret(r.name, labels["version"])
	// Not Helm's own label modifiedAt: Helm 4.3.1 hands it down from revision to revision, so it may be days old.
	changed, err := h.kubectl.Changed(ctx, r.namespace, "secrets", secret)
	if err != nil {
		return fmt.Errorf("cannot find out since when release %s is %s: %w", r.name, status, err)
	}
	if err := h.orphaned(r, status, changed, time.Now()); err != nil {
		return err
	}
	t.log.Warn("a killed helm has left the release unusable: it is recovered", "status", status, "since", changed.UTC().Format(time.RFC3339))
	if status == "pending-install" || status == "uninstalling" {
		// There is no older revision to go on from, and without this one helm would not know of what it has installed: a later
		// undeploy would leave that behind. helm itself uninstalls what it fails to install.
		secret = ""
	}
	exitCode := t.exitCode
	err = h.script(ctx, t, scripts.WorkloadRecover, map[string]string{
		"RELEASE": r.name, "NAMESPACE": r.namespace, "TIMEOUT": h.settings.Helm.Timeout.String(), "STALE_REVISION": secret,
	})
	t.exitCode = exitCode
	return err
}

// recoverAfterwards is recover for a helm of ours that has just failed. It might have been killed, and by the next deploy
// nobody may know any more that it was ours.
func (h *Handlers) recoverAfterwards(ctx context.Context, t *task, r release) error {
	labels, err := h.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
	if err == nil {
		err = h.recover(ctx, t, r, labels)
	}
	if err != nil {
		t.log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
	}
	return err
}

// orphaned is an error unless the revision that was last changed then is provably nobody's.
func (h *Handlers) orphaned(r release, status string, changed, now time.Time) error {
	if now.Sub(changed) > orphanAge || h.deaths.covers(r.lane(), changed) {
		return nil
	}
	return fmt.Errorf("release %s in namespace %s is %s since %s: another helm works on it; if that one is dead, deploy again after %s, when it counts as orphaned",
		r.name, r.namespace, status, changed.UTC().Format(time.RFC3339), changed.Add(orphanAge).UTC().Format(time.RFC3339))
}
