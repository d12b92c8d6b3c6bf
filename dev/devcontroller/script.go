package devcontroller

import "strings"

// Handler answers a call in place of a test. It may block, which is a slow controller: the
// connection's further calls wait, its events do not. A result other than nil replaces the
// controller's own; an error keeps the controller from acting on the call.
type Handler func(Call) (result any, err error)

type failure struct {
	left int // negative: for ever
	text string
}

// FailNext rejects the next n calls of a method with a HubException of that text, as a
// controller that warms up does; a negative n rejects all, 0 ends it.
func (s *Server) FailNext(method string, n int, text string) {
	s.change(func() { s.failures[strings.ToLower(method)] = &failure{n, text} })
}

// OnInvoke sets the handler of a method; nil removes it. It runs before the controller acts on
// the call and before the call is recorded. What it sends goes out before the answer, as a real
// controller does when it replays queued events inside RegisterPoolAsync.
func (s *Server) OnInvoke(method string, handler Handler) {
	s.change(func() { s.handlers[strings.ToLower(method)] = handler })
}

// scripted is what the test wants a bound call to answer.
func (s *Server) scripted(call Call) (any, error) {
	name := strings.ToLower(call.Method)
	s.mu.Lock()
	failure, handler := s.failures[name], s.handlers[name]
	fails := failure != nil && failure.left != 0
	if fails && failure.left > 0 {
		failure.left--
	}
	s.mu.Unlock()
	if fails {
		return nil, hubException("%s", failure.text)
	}
	if handler == nil {
		return nil, nil
	}
	return handler(call)
}
