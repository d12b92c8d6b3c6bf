package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A controller that warms up rejects for minutes, and what it rejects for a reason of its own it may take after its next
// upgrade. So a rejected report is tried again without end, more and more seldom.
const (
	firstReportWait   = 5 * time.Second
	longestReportWait = 5 * time.Minute
)

// Report is a call to the controller that is delivered when a connection is up.
type Report struct {
	Method    string
	Arguments []any
	// Key: a newer report with the same method and key replaces an older one that is still waiting. Empty: none does.
	Key string
	// Transient reports are thrown away when no connection is up, or when they are rejected.
	Transient bool
	// Delivered is called once: when the controller has accepted the report (nil), or when it will not be sent any more.
	Delivered func(err error)

	waits *backoff.ExponentialBackOff // nil: it was not rejected so far
	due   time.Time                   // not before
}

// Report queues a report and returns at once.
func (c *Client) Report(r Report) {
	if r.Transient && !c.Connected() {
		return
	}
	c.reports.add(&r)
}

// Withdraw drops the report of that method and key that is not delivered yet, if there is one: it has become untrue.
func (c *Client) Withdraw(method, key string) {
	c.reports.end(errWithdrawn, func(r *Report) bool { return r.Method == method && r.Key == key })
}

// outbox holds reports, oldest first, until a connection has delivered them: the one that is being sent, too.
type outbox struct {
	mu      sync.Mutex
	waiting []*Report
	lacking map[string]bool // methods that the controller at the other end does not have
	wake    chan struct{}
}

var (
	// ErrUnsupported means that the controller does not have the method, which was warned about once.
	ErrUnsupported = errors.New("the controller lacks the method")

	errReplaced  = errors.New("a newer report took its place")
	errWithdrawn = errors.New("it is not true any more")
)

func (o *outbox) add(r *Report) {
	o.mu.Lock()
	older := o.remove(func(other *Report) bool { return r.Key != "" && other.Key == r.Key && other.Method == r.Method })
	o.waiting = append(o.waiting, r)
	o.mu.Unlock()
	older.done(errReplaced)
	o.wakeUp()
}

// end lets the report that matches wait no longer, if there is one.
func (o *outbox) end(err error, matches func(*Report) bool) {
	o.mu.Lock()
	r := o.remove(matches)
	o.mu.Unlock()
	r.done(err)
}

// remove takes the report that matches out of those that wait; nil: there is none. o.mu is held.
func (o *outbox) remove(matches func(*Report) bool) *Report {
	at := slices.IndexFunc(o.waiting, matches)
	if at < 0 {
		return nil
	}
	r := o.waiting[at]
	o.waiting = slices.Delete(o.waiting, at, at+1)
	return r
}

func (r *Report) done(err error) {
	if r != nil && r.Delivered != nil {
		r.Delivered(err)
	}
}

func (o *outbox) wakeUp() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// deliver sends what waits, in order, over one connection until ctx ends.
func (o *outbox) deliver(ctx context.Context, s *session) {
	o.begin()
	for ctx.Err() == nil {
		r, due := o.next()
		if r != nil {
			o.send(ctx, s, r)
			continue
		}
		select {
		case <-o.wake:
		case <-due:
		case <-ctx.Done():
		}
	}
}

// begin forgets what the controller at the other end has rejected or lacked: it may be another one, or upgraded.
func (o *outbox) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lacking = map[string]bool{}
	for _, r := range o.waiting {
		r.due = time.Time{}
	}
}

// next is the oldest report that is due. When there is none, due fires as soon as one is; nil when none waits.
func (o *outbox) next() (r *Report, due <-chan time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	shortest := time.Duration(0)
	for _, r := range o.waiting {
		wait := time.Until(r.due)
		if wait <= 0 {
			return r, nil
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	if shortest > 0 {
		due = time.After(shortest)
	}
	return nil, due
}

// send delivers a report, or says what becomes of it. It may have been replaced or withdrawn when the answer comes.
func (o *outbox) send(ctx context.Context, s *session, r *Report) {
	end := func(err error) { o.end(err, func(other *Report) bool { return other == r }) }
	if o.lacking[r.Method] {
		end(ErrUnsupported)
		return
	}
	_, err := s.invoke(ctx, s.generation.method(r.Method), r.Arguments...)
	switch {
	case err == nil:
		end(nil)
	case unsupported(err):
		o.lacking[r.Method] = true
		s.log.Warn("the controller lacks a method: such reports are not sent", "method", r.Method)
		end(ErrUnsupported)
	case r.Transient:
		s.log.Debug("report not delivered", "method", r.Method, "reason", err)
		end(err)
	case errors.Is(err, errTooLong):
		s.log.Error("report given up: it can never be sent", "method", r.Method, "reason", err)
		end(err)
	case ctx.Err() != nil || errors.Is(err, errLost):
		o.putOff(r, 0) // behind the others: it may be what has ended the connection
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	default:
		wait := r.nextWait()
		s.log.Warn("report not taken", "method", r.Method, "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		o.putOff(r, wait)
	}
}

// nextWait doubles with each rejection. The jitter is within longestReportWait.
func (r *Report) nextWait() time.Duration {
	if r.waits == nil {
		r.waits = &backoff.ExponentialBackOff{
			InitialInterval: firstReportWait, MaxInterval: longestReportWait * 2 / 3,
			Multiplier: 2, RandomizationFactor: backoff.DefaultRandomizationFactor,
		}
	}
	return r.waits.NextBackOff()
}

// putOff lets a report wait behind the others, unless it has ended meanwhile.
func (o *outbox) putOff(r *Report, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.remove(func(other *Report) bool { return other == r }) != nil {
		r.due = time.Now().Add(wait)
		o.waiting = append(o.waiting, r)
	}
}
