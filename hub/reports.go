package hub

import (
	"context"
	"errors"
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
	if r.Key != "" {
		for i, old := range o.waiting {
			if old.Method == r.Method && old.Key == r.Key {
				o.waiting = append(o.waiting[:i:i], o.waiting[i+1:]...)
				old.done(errReplaced)
				break
			}
		}
	}
	o.waiting = append(o.waiting, r)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

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
		r, ok := o.next()
		if !ok {
			select {
			case <-o.wake:
			case <-ctx.Done():
			}
			continue
		}
		o.send(ctx, s, r)
	}
}

func (o *outbox) next() (Report, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return Report{}, false
	}
	r := o.waiting[0]
	o.waiting = o.waiting[1:]
	return r, true
}

func (o *outbox) send(ctx context.Context, s *session, r Report) {
	if o.lacking[r.Method] {
		r.done(nil)
		return
	}
	_, err := s.invoke(ctx, r.Method, r.Arguments...)
	rejected := (*RejectedError)(nil)
	switch {
	case err == nil:
		r.done(nil)
	case errors.As(err, &rejected) && rejected.Unsupported():
		o.lacking[r.Method] = true
		s.log.Warn("the controller lacks a method: such reports are not sent", "method", r.Method)
		r.done(err)
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
		r.tries++
		time.AfterFunc(rejectedReportWait, func() { o.putBack(r) })
	}
}

// putBack lets a report wait again, unless a newer one has come meanwhile.
func (o *outbox) putBack(r Report) {
	o.mu.Lock()
	for _, newer := range o.waiting {
		if r.Key != "" && newer.Method == r.Method && newer.Key == r.Key {
			o.mu.Unlock()
			r.done(errReplaced)
			return
		}
	}
	o.waiting = append([]Report{r}, o.waiting...)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
