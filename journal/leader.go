package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"octo-operator/kube"
)

// LeaderOptions say whose Lease it is.
type LeaderOptions struct {
	Identity   string // of this operator; the same after a restart on the same disk
	Host       string // of this operator, for people
	Controller string // its address: each controller has one leader
	Namespace  string // of the Lease
}

// Leader decides by a Lease which of several operators of a controller works: Lead, then Keep, and Release at the end. Its methods are
// safe for use by several goroutines. A nil one always leads.
type Leader struct {
	api     API
	o       LeaderOptions
	log     *slog.Logger
	cluster string // label of all that belongs to one controller
	name    string // of the Lease

	// Of whoever calls Lead and Keep:
	found   lease // as it was last read or written
	seen    sight
	older   map[string]*sight // Leases of operators of older versions, by name
	refused span
	told    string // the last trouble, so that it is logged once

	mu      sync.Mutex
	state   state
	holder  string
	tenure  tenure
	renewed chan struct{} // closed when the Lease was renewed, and then another one
}

type state int

const (
	standby state = iota
	leading
	alone // without a Lease, since the operator may not have one
	lost
)

var (
	// ErrLost means that another operator may be at work: what runs is to be stopped.
	ErrLost = errors.New("this operator does not lead any more")
	// ErrAllowed means that an operator that works alone may have a Lease by now: it is to start again.
	ErrAllowed = errors.New("this operator worked without a Lease, and may have one now")
)

// NewLeader makes one that does not lead.
func NewLeader(api API, o LeaderOptions, log *slog.Logger) *Leader {
	cluster := shortHash(o.Controller)
	return &Leader{api: api, o: o, log: log, cluster: cluster, name: "octo-operator-" + cluster, older: map[string]*sight{}, renewed: make(chan struct{})}
}

// Lead returns when this operator leads, or with ctx. onStandby is called while another one does, until it has worked. others: another
// operator has led since this one, or an earlier life on its disk, last did.
func (l *Leader) Lead(ctx context.Context, onStandby func(context.Context) error) (others bool, err error) {
	if l == nil {
		return false, nil
	}
	for stoodBy := false; ; {
		led, others, err := l.look(ctx)
		switch {
		case led:
			return others, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil: // what has not been seen cannot be known to be as it was
			l.seen = sight{}
			clear(l.older)
		case !stoodBy:
			stoodBy = onStandby(ctx) == nil
		}
		if l.refused.of(kube.Denied(err), time.Now()) > refusedFor {
			l.log.Warn("the operator works without a Lease, and keeps events on disk alone: they do not survive a pod that is replaced with its disk, and "+
				"a second operator would do everything twice. Allow get, list, create, patch and delete of leases", "namespace", l.o.Namespace, "reason", err)
			l.become(alone)
			return false, nil
		}
		l.tell("the operator cannot look who leads", err)
		if err := pause(ctx, lookInterval); err != nil {
			return false, err
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

// look takes the Lease if nobody has it.
func (l *Leader) look(ctx context.Context) (led, others bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	if l.found, err = l.read(ctx); err != nil {
		return false, false, err
	}
	others = l.found.exists() && !l.mine(l.found)
	if others && l.found.Spec.LeaseDurationSeconds != givenUp && !l.seen.look(l.found.Spec.RenewTime, time.Now(), leaseDuration) {
		l.standBehind(l.found.Spec.HolderIdentity)
		return false, others, nil
	}
	if older, err := l.olderAtWork(ctx); err != nil || older != "" {
		l.standBehind(older)
		return false, others, err
	}
	sent := time.Now()
	l.found, err = l.write(ctx, l.found, int(leaseDuration.Seconds()))
	if kube.Conflict(err) || kube.NotFound(err) { // somebody else was faster
		return false, others, nil
	}
	if err != nil {
		return false, others, err
	}
	l.extend(sent)
	l.log.Info("this operator leads", "lease", l.name, "namespace", l.o.Namespace)
	l.removeOlderVersions(ctx)
	return true, others, nil
}

// olderAtWork is the name of a Lease of an operator of an older version that may be at work; "": there is none.
func (l *Leader) olderAtWork(ctx context.Context) (name string, err error) {
	older, err := l.olderVersions(ctx)
	for _, other := range older {
		if l.older[other.Metadata.Name] == nil {
			l.older[other.Metadata.Name] = &sight{}
		}
		if !l.older[other.Metadata.Name].look(other.Spec.RenewTime, time.Now(), olderDuration) {
			name = other.Metadata.Name
		}
	}
	return name, err
}

// Keep renews the Lease until ctx ends. The error is ErrLost or ErrAllowed.
func (l *Leader) Keep(ctx context.Context) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	for pause(ctx, renewInterval) == nil {
		asking, cancel := context.WithTimeout(ctx, renewTimeout)
		var err error
		if l.is(alone) {
			err = l.tryAlone(asking)
		} else {
			err = l.renew(asking)
		}
		cancel()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// tryAlone finds out whether the operator may have a Lease by now.
func (l *Leader) tryAlone(ctx context.Context) error {
	found, err := l.read(ctx)
	if err != nil {
		return nil
	}
	if found.exists() && !l.mine(found) {
		return ErrAllowed // and somebody has one
	}
	if _, err = l.write(ctx, found, givenUp); err != nil { // who may read may not be allowed to write
		return nil
	}
	return ErrAllowed
}

// renew is one renewal, which may fail. The error is ErrLost.
func (l *Leader) renew(ctx context.Context) error {
	sent := time.Now()
	written, err := l.write(ctx, l.found, int(leaseDuration.Seconds()))
	if kube.Conflict(err) || kube.NotFound(err) { // changed or deleted by hand, or an answer to us was lost
		if l.found, err = l.read(ctx); err == nil && l.found.exists() && !l.mine(l.found) {
			l.standBehind(l.found.Spec.HolderIdentity)
			l.become(lost)
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
	if l.refused.of(kube.Denied(err), time.Now()) > leaseDuration && !l.MayStart() {
		l.become(lost)
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

// Release gives the Lease up, so that the next operator need not wait until it has run out. Nothing may run any more.
func (l *Leader) Release(ctx context.Context) {
	if l == nil || !l.is(leading) {
		return
	}
	l.become(standby)
	_, err := l.write(ctx, l.found, givenUp)
	if kube.Conflict(err) {
		if l.found, err = l.read(ctx); err == nil && l.mine(l.found) {
			_, err = l.write(ctx, l.found, givenUp)
		}
	}
	if err != nil {
		l.log.Warn("the next operator waits until this one's Lease has run out", "seconds", leaseDuration.Seconds(), "reason", err)
	}
}

// MayStart tells whether work may start: this operator leads, and its Lease cannot have run out.
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

// Leads tells whether this operator leads; if it does not, who is who does, for people: "" if that is not known.
func (l *Leader) Leads() (leads bool, who string) {
	if l == nil {
		return true, ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == leading || l.state == alone, l.holder
}

// Alone tells whether this operator works although it may have no Lease.
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

// extend lets this operator lead for as long as the Lease that it was sent for is valid.
func (l *Leader) extend(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state, l.holder, l.tenure = leading, "", tenure{sent}
	close(l.renewed)
	l.renewed = make(chan struct{})
}

// standBehind notes, and says once, who leads.
func (l *Leader) standBehind(holder string) {
	l.mu.Lock()
	before := l.holder
	l.holder = holder
	l.mu.Unlock()
	if before != holder && holder != "" {
		l.log.Info("another operator leads: this one stands by", "leader", holder)
	}
}

// tell logs a trouble when it begins.
func (l *Leader) tell(message string, err error) {
	text := ""
	if err != nil {
		text = message
	}
	if text != "" && text != l.told {
		l.log.Warn(message, "reason", err)
	}
	l.told = text
}
