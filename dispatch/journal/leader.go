package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"octo-operator/kube"
)

// LeaderOptions identify the operator and the Lease.
type LeaderOptions struct {
	Identity   string // of this operator; the same after a restart on the same disk. Without "_"
	Host       string // of this operator, for people
	Controller string // its address: each controller has one leader
	Namespace  string // of the Lease
}

// Leader decides, by a Lease, which of several operators of a controller works. Call Lead, then Keep, and Release at the end. Its methods
// may be called by several goroutines. A nil Leader always leads.
type Leader struct {
	api  API
	o    LeaderOptions
	log  *slog.Logger
	name string // of the Lease

	// Used only by Lead, Keep and Release:
	found   lease  // as it was last read or written
	seen    sight  // the last renewal by another operator
	refused sight  // since when the API server has refused the Lease
	told    string // the last problem that was logged, so that it is logged once

	mu      sync.Mutex
	state   state
	holder  string // who leads; "" if this operator does, or it is not known
	tenure  tenure
	renewed chan struct{} // closed, and replaced by a new one, at each renewal of the Lease
}

type state int

const (
	standby state = iota
	leading
	alone // works without a Lease, because it has no permission for one
)

// ErrLost means that another operator may lead now: running scripts must be stopped.
var ErrLost = errors.New("this operator does not lead any more")

// NewLeader makes a Leader that does not lead yet.
func NewLeader(api API, o LeaderOptions, log *slog.Logger) *Leader {
	return &Leader{api: api, o: o, log: log, name: leaseName(o.Controller), renewed: make(chan struct{})}
}

// Lead returns when this operator leads. While another one leads, it calls onStandby again and again, until that has returned nil once.
// replaced is the identity of the operator that led before; "" if that was this operator, or an earlier life on its disk, or nobody. The
// error is ctx's.
func (l *Leader) Lead(ctx context.Context, onStandby func(context.Context) error) (replaced string, err error) {
	if l == nil {
		return "", nil
	}
	for stoodBy := false; ; {
		led, replaced, err := l.look(ctx)
		switch {
		case led:
			return replaced, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil: // a renewal may have been missed: the time without one is counted anew
			l.seen = sight{}
		case !stoodBy:
			stoodBy = onStandby(ctx) == nil
		}
		_, leader := l.Leads()
		if l.refusedSince(err) > refusedFor && leader == "" { // if another operator leads, this one must not work beside it
			l.log.Warn("the operator works without a Lease, and keeps events on disk alone: they do not survive a pod that is replaced with its disk, and "+
				"a second operator would do everything twice. Allow get, create and patch of leases, and start it again", "namespace", l.o.Namespace, "reason", err)
			l.become(alone)
			return "", nil
		}
		l.tell("the operator cannot look who leads", err)
		if err := pause(ctx, lookInterval); err != nil {
			return "", err
		}
	}
}

func pause(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refusedSince returns for how long the API server has refused the Lease without interruption; err is its newest answer. 0: that is no
// refusal.
func (l *Leader) refusedSince(err error) time.Duration {
	if !kube.Denied(err) {
		l.refused = sight{}
		return 0
	}
	return l.refused.unchanged("", time.Now())
}

// look takes the Lease if no other operator holds it.
func (l *Leader) look(ctx context.Context) (led bool, replaced string, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	if l.found, err = l.read(ctx); err != nil {
		return false, "", err
	}
	if _, leader := l.Leads(); l.found.Metadata.ResourceVersion == "" && leader != "" {
		// Somebody has deleted the Lease by hand. Its holder works on, and will create it again.
		l.found.Spec = leaseSpec{HolderIdentity: leader, RenewTime: l.seen.what}
	}
	replaced = l.another(l.found)
	if held := l.found.Spec; replaced != "" && held.LeaseDurationSeconds != givenUp && l.seen.unchanged(held.RenewTime, time.Now()) <= leaseDuration {
		l.standBehind(held.HolderIdentity)
		return false, "", nil
	}
	sent := time.Now()
	l.found, err = l.write(ctx, l.found, int(leaseDuration.Seconds()))
	if kube.Conflict(err) || kube.NotFound(err) { // another operator was faster
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	l.extend(sent)
	l.log.Info("this operator leads", "lease", l.name, "namespace", l.o.Namespace)
	return true, replaced, nil
}

// Keep renews the Lease until ctx ends; then it returns nil. An operator that works without a Lease tries now and then to get one. The
// only error is ErrLost.
func (l *Leader) Keep(ctx context.Context) error {
	for l != nil && l.Alone() && pause(ctx, aloneInterval) == nil {
		if led, _, err := l.look(ctx); err == nil && !led {
			l.become(standby)
			_, leader := l.Leads()
			return fmt.Errorf("%w: it had no permission to look, and now it sees that %s does", ErrLost, cmp.Or(leader, "another operator"))
		}
	}
	for l != nil && pause(ctx, renewInterval) == nil {
		asking, cancel := context.WithTimeout(ctx, renewTimeout)
		err := l.renew(asking)
		cancel()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// renew tries once to renew the Lease. A failed try is no error, unless another operator leads or the Lease is refused for good: then it
// is ErrLost.
func (l *Leader) renew(ctx context.Context) error {
	sent := time.Now()
	written, err := l.write(ctx, l.found, int(leaseDuration.Seconds()))
	if kube.Conflict(err) || kube.NotFound(err) { // changed or deleted by hand, or the answer to an earlier write was lost
		if l.found, err = l.read(ctx); err == nil && l.another(l.found) != "" {
			l.standBehind(l.found.Spec.HolderIdentity)
			l.become(standby)
			return fmt.Errorf("%w: %s does", ErrLost, l.found.Spec.HolderIdentity)
		}
		if err == nil {
			written, err = l.write(ctx, l.found, int(leaseDuration.Seconds()))
		}
	}
	if err == nil {
		l.found = written
		l.extend(sent)
	}
	if l.refusedSince(err) > leaseDuration && !l.MayStart() {
		l.become(standby)
		return fmt.Errorf("%w: it may not renew its Lease: %w", ErrLost, err)
	}
	if !l.MayStart() {
		l.tell("no work starts: the Lease could not be renewed, and another operator may take it", err)
	} else if err == nil && l.told != "" {
		l.told = ""
		l.log.Info("the Lease is renewed again")
	}
	return nil
}

// Release gives up the Lease, so that the next operator need not wait until it expires. Nothing may run any more.
func (l *Leader) Release(ctx context.Context) {
	if l == nil || !l.is(leading) {
		return
	}
	l.become(standby)
	_, err := l.write(ctx, l.found, givenUp)
	if kube.Conflict(err) { // the answer to the last renewal was lost
		if l.found, err = l.read(ctx); err == nil && l.another(l.found) == "" {
			_, err = l.write(ctx, l.found, givenUp)
		}
	}
	if err != nil {
		l.log.Warn("the next operator waits until this one's Lease has run out", "seconds", leaseDuration.Seconds(), "reason", err)
	}
}

// MayStart tells whether work may start: this operator leads, and its Lease cannot have expired.
func (l *Leader) MayStart() bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == alone || l.state == leading && l.tenure.mayStart(time.Now())
}

// Wait returns when work may start. The error is ctx's.
func (l *Leader) Wait(ctx context.Context) error {
	for l != nil {
		l.mu.Lock()
		renewed := l.renewed
		l.mu.Unlock()
		if l.MayStart() {
			return nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Leads tells whether this operator leads. If not, who names the leader, for people; "": not known.
func (l *Leader) Leads() (leads bool, who string) {
	if l == nil {
		return true, ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state != standby, l.holder
}

// Alone tells whether this operator works without a Lease, because it has no permission for one.
func (l *Leader) Alone() bool { return l != nil && l.is(alone) }

func (l *Leader) is(s state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == s
}

func (l *Leader) become(s state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
}

// extend makes this operator the leader until the Lease expires whose renewal was sent at that time.
func (l *Leader) extend(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state, l.holder, l.tenure = leading, "", tenure(sent)
	close(l.renewed)
	l.renewed = make(chan struct{})
}

// standBehind records which other operator leads, and logs it if it has changed.
func (l *Leader) standBehind(holder string) {
	l.mu.Lock()
	before := l.holder
	l.holder = holder
	l.mu.Unlock()
	if before != holder {
		l.log.Info("another operator leads: this one stands by", "leader", holder)
	}
}

// tell logs a problem when it begins; a nil error ends it.
func (l *Leader) tell(message string, err error) {
	switch {
	case err == nil:
		l.told = ""
	case l.told != message:
		l.told = message
		l.log.Warn(message, "reason", err, "next", "it is tried again every few seconds")
	}
}
