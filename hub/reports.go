package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	rejectedReportWait  = 5 * time.Second
	rejectedReportTries = 12 // a minute of rejections: what the controller refuses for so long it will not take
)

// Report is a call to the controller that is delivered when a connection is up.
type Report struct {
	Method    string
	Arguments []any
	// Key: a newer report with the same method and key replaces an older one that is still waiting. Empty: none does.
	Key string
	// Transient reports are thrown away when no connection is up.
	Transient bool
	// Delivered is called once, when the controller has accepted the report or will never take it.
	Delivered func(err error)

	tries int
	due   time.Time // not before; after a rejection
}

// Report queues a report and returns at once.
func (c *Client) Report(r Report) {
	if r.Transient && !c.Connected() {
		return
	}
	c.reports.add(r)
}

// outbox holds reports, oldest first, until a connection takes them.
type outbox struct {
	mu      sync.Mutex
	waiting []Report
	lacking map[string]bool // methods that the controller at the other end does not have
	wake    chan struct{}
}

func (o *outbox) add(r Report) {
	o.mu.Lock()
	older := slices.IndexFunc(o.waiting, r.replaces)
	var replaced Report
	if older >= 0 {
		replaced = o.waiting[older]
		o.waiting = slices.Delete(o.waiting, older, older+1)
	}
	o.waiting = append(o.waiting, r)
	o.mu.Unlock()
	replaced.done(errReplaced)
	o.wakeUp()
}

// replaces tells whether the controller needs only the newer of both.
func (r Report) replaces(other Report) bool {
	return r.Key != "" && r.Key == other.Key && r.Method == other.Method
}

func (o *outbox) wakeUp() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// ErrUnsupported means that the controller does not have the report's method, which was warned about once.
var ErrUnsupported = errors.New("the controller lacks the method")

var errReplaced = errors.New("a newer report took its place")

func (r Report) done(err error) {
	if r.Delivered != nil {
		r.Delivered(err)
	}
}

// deliver sends what waits, in order, over one connection until ctx ends.
func (o *outbox) deliver(ctx context.Context, s *session) {
	o.mu.Lock()
	o.lacking = map[string]bool{} // the controller may have been upgraded since
	o.mu.Unlock()
	for ctx.Err() == nil {
		r, due, ok := o.next()
		if !ok {
			select {
			case <-o.wake:
			case <-due:
			case <-ctx.Done():
			}
			continue
		}
		o.send(ctx, s, r)
	}
}

// next takes the oldest report that is due. When there is none, due fires as soon as one is; nil when none waits.
func (o *outbox) next() (r Report, due <-chan time.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	shortest := time.Duration(0)
	for i, r := range o.waiting {
		wait := time.Until(r.due)
		if wait <= 0 {
			o.waiting = slices.Delete(o.waiting, i, i+1)
			return r, nil, true
		}
		if shortest == 0 || wait < shortest {
			shortest = wait
		}
	}
	if shortest > 0 {
		due = time.After(shortest)
	}
	return Report{}, due, false
}

func (o *outbox) send(ctx context.Context, s *session, r Report) {
	if o.lacking[r.Method] {
		r.done(ErrUnsupported)
		return
	}
	_, err := s.invoke(ctx, s.generation.method(r.Method), r.Arguments...)
	rejected := (*RejectedError)(nil)
	switch {
	case err == nil:
		r.done(nil)
	case errors.As(err, &rejected) && rejected.Unsupported():
		o.lacking[r.Method] = true
		s.log.Warn("the controller lacks a method: such reports are not sent", "method", r.Method)
		r.done(ErrUnsupported)
	case r.Transient:
		s.log.Debug("report not delivered", "method", r.Method, "reason", err)
		r.done(err)
	case rejected == nil:
		o.putBack(r) // no answer: most likely the connection is lost, and it is the next connection's first
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	case r.tries+1 >= rejectedReportTries:
		s.log.Error("report given up: the controller does not take it", "method", r.Method, "reason", err)
		r.done(err)
	default:
		s.log.Warn("report not taken", "method", r.Method, "reason", err, "retry_in", rejectedReportWait.String())
		r.tries, r.due = r.tries+1, time.Now().Add(rejectedReportWait)
		o.putBack(r)
	}
}

// putBack lets a report wait again, unless a newer one has come meanwhile.
func (o *outbox) putBack(r Report) {
	o.mu.Lock()
	replaced := slices.ContainsFunc(o.waiting, r.replaces)
	if !replaced {
		o.waiting = slices.Insert(o.waiting, 0, r)
	}
	o.mu.Unlock()
	if replaced {
		r.done(errReplaced)
	}
	o.wakeUp()
}
