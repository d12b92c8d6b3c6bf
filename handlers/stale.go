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

func (d *deaths) add(lane string, w window) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.windows == nil {
		d.windows = map[string]window{}
	}
	d.windows[lane] = w
}

func (d *deaths) covers(lane string, t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.windows[lane]
	// Kubernetes' times have whole seconds.
	return ok && !t.Before(w.from.Truncate(time.Second)) && !t.After(w.to)
}

// staleRevision returns the Secret of the release's newest revision if it is pending and provably orphaned: it is old, or a
// helm of ours made it that is dead. A pending revision of which neither is known is an error: its helm may be alive.
func (h *Handlers) staleRevision(ctx context.Context, r release, labels map[string]string) (secret string, err error) {
	if !strings.HasPrefix(labels["status"], "pending-") {
		return "", nil
	}
	secret = "sh.helm.release.v1." + r.name + ".v" + labels["version"]
	// Not Helm's own label modifiedAt: Helm 4.3.1 hands it down from revision to revision, so it may be days old.
	began, err := h.kubectl.Created(ctx, r.namespace, "secret", secret)
	if err != nil {
		return "", fmt.Errorf("cannot find out since when release %s is %s: %w", r.name, labels["status"], err)
	}
	return secret, h.orphaned(r, labels["status"], began, time.Now())
}

// orphaned is an error unless the revision that began then is provably nobody's.
func (h *Handlers) orphaned(r release, status string, began, now time.Time) error {
	if now.Sub(began) > orphanAge || h.deaths.covers(r.lane(), began) {
		return nil
	}
	return fmt.Errorf("release %s in namespace %s is %s since %s: another helm works on it; if that one is dead, deploy again after %s, when it counts as orphaned",
		r.name, r.namespace, status, began.UTC().Format(time.RFC3339), began.Add(orphanAge).UTC().Format(time.RFC3339))
}
