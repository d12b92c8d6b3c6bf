package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A rejected report is tried again without end, at growing intervals: a controller that is starting up rejects for minutes, and what a
// controller rejects now it may accept after its next upgrade.
const (
	firstReportWait   = 5 * time.Second
	longestReportWait = 5 * time.Minute
)

// Report is a call to the controller, which is sent as soon as there is a connection.
type Report struct {
	Method    string
	Arguments []any
	// Key: a report replaces a waiting one with the same method and key. Empty: it replaces none and is replaced by none.
	Key string
	// Transient: the report is dropped when there is no connection, or when it is rejected.
	Transient bool
	// Delivered is called once: with nil when the controller has accepted the report, with the reason when it will not be sent any more.
	// It is not called for a transient report that is dropped because there is no connection. May be nil.
	Delivered func(err error)

	waits *backoff.ExponentialBackOff // nil: it has not been rejected
	due   time.Time                   // when to send it next
}

// Report queues r and returns at once.
func (c *Client) Report(r Report) {
	if r.Transient && !c.Connected() {
		return
	}
	c.reports.add(&r)
}

// WaitingReports returns how many reports, without transient ones, the controller has not accepted yet.
func (c *Client) WaitingReports() int { return c.reports.count() }

// Withdraw drops the waiting report with that method and key, if there is one, because it is no longer true.
func (c *Client) Withdraw(method, key string) {
	c.reports.end(errWithdrawn, func(r *Report) bool { return r.Method == method && r.Key == key })
}

// outbox holds the reports that the controller has not accepted yet, the oldest first, including the one that is being sent.
type outbox struct {
	mu      sync.Mutex
	waiting []*Report
	lacking map[string]bool // methods that the current controller does not have
	wake    chan struct{}
}

var (
	// ErrUnsupported means that the controller does not have the method. A warning was logged once.
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

// count returns the number of reports that are not transient.
func (o *outbox) count() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.waiting {
		if !r.Transient {
			n++
		}
	}
	return n
}

// end removes the report that matches, if there is one, and calls its Delivered with err.
func (o *outbox) end(err error, matches func(*Report) bool) {
	o.mu.Lock()
	r := o.remove(matches)
	o.mu.Unlock()
	r.done(err)
}

// remove takes the report that matches out of the outbox; nil: there is none. o.mu is held.
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

// deliver sends the reports, in order, over one connection until ctx ends.
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

// begin makes all reports due and forgets which methods are lacking: the controller may be another one than before, or upgraded.
func (o *outbox) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lacking = map[string]bool{}
	for _, r := range o.waiting {
		r.due = time.Time{}
	}
}

// next returns the oldest report that is due. If none is due, due fires when the next one is; a nil due means that the outbox is empty.
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

// send sends a report once, and ends it or puts it off. The report may have been replaced or withdrawn before the answer comes.
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
		s.log.Error("report given up: it can never be sent", "method", r.Method, "reason", err, "next", "the workload's status at the controller stays as it is until its next event")
		end(err)
	case ctx.Err() != nil || errors.Is(err, errLost):
		o.putOff(r, 0) // behind the others: this report may be the reason why the connection ended
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	default:
		wait := r.nextWait()
		s.log.Warn("report rejected", "method", r.Method, "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		o.putOff(r, wait)
	}
}

// nextWait doubles with each rejection and, jitter included, stays within longestReportWait.
func (r *Report) nextWait() time.Duration {
	if r.waits == nil {
		r.waits = &backoff.ExponentialBackOff{
			InitialInterval: firstReportWait, MaxInterval: longestReportWait * 2 / 3,
			Multiplier: 2, RandomizationFactor: backoff.DefaultRandomizationFactor,
		}
	}
	return r.waits.NextBackOff()
}

// putOff moves a report to the end of the outbox, due after wait, unless it has been replaced or withdrawn meanwhile.
func (o *outbox) putOff(r *Report, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.remove(func(other *Report) bool { return other == r }) != nil {
		r.due = time.Now().Add(wait)
		o.waiting = append(o.waiting, r)
	}
}
