package devcontroller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Call is one invocation by the operator, recorded when it is answered.
type Call struct {
	Seq        int // 1 for the first of the server's life
	Time       time.Time
	ConnID     string
	Generation Generation
	Method     string // as the contract writes it; as it was sent when unknown
	Args       []json.RawMessage
	Error      string // what the operator was told; empty: success
}

// Arg decodes one argument.
func (c Call) Arg(i int, into any) error {
	if i >= len(c.Args) {
		return fmt.Errorf("cannot read argument %d of %s: it has %d", i, c.Method, len(c.Args))
	}
	if err := json.Unmarshal(c.Args[i], into); err != nil {
		return fmt.Errorf("cannot read argument %d of %s: %w", i, c.Method, err)
	}
	return nil
}

func (c Call) String() string {
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = string(arg)
	}
	line := fmt.Sprintf("#%d %s %s(%s)", c.Seq, c.ConnID, c.Method, strings.Join(args, ", "))
	if c.Error != "" {
		line += " → " + c.Error
	}
	return line
}

func (s *Server) record(call Call) {
	s.change(func() {
		call.Seq = len(s.calls) + 1
		s.calls = append(s.calls, call)
	})
	s.options.Logf("%s", call)
}

// Calls returns all invocations by operators so far, in the order of their answers.
func (s *Server) Calls() []Call { return s.callsAfter(0) }

func (s *Server) callsAfter(seq int) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[seq:])
}

// LastSeq is the number of the latest call: what follows has a higher one. A test that waits
// for a repetition takes it first and matches Seq > it.
func (s *Server) LastSeq() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// WaitFor returns the first call of a method that matches, waiting for it if it has not come
// yet. Failed calls count too: look at Error. A nil match takes any call of the method.
func (s *Server) WaitFor(ctx context.Context, method string, match func(Call) bool) (Call, error) {
	var found Call
	seen := 0
	err := s.Wait(ctx, "a call of "+method, func() bool {
		for _, call := range s.callsAfter(seen) {
			seen = call.Seq
			if strings.EqualFold(call.Method, method) && (match == nil || match(call)) {
				found = call
				return true
			}
		}
		return false
	})
	return found, err
}

// Wait returns when the condition holds. It is asked now and after each change: a connection,
// a call, a registration, a refusal. what completes "gave up waiting for …".
func (s *Server) Wait(ctx context.Context, what string, condition func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s: %w; so far: %s", what, ctx.Err(), s.summary())
		}
	}
}

// summary describes, for a failed wait, what did happen.
func (s *Server) summary() string {
	counts := map[string]int{}
	for _, call := range s.Calls() {
		name := call.Method
		if call.Error != "" {
			name += " (failed)"
		}
		counts[name]++
	}
	var parts []string
	for name, count := range counts {
		parts = append(parts, fmt.Sprintf("%d× %s", count, name))
	}
	slices.Sort(parts)
	for _, c := range s.Connections() {
		part := fmt.Sprintf("connection %s %s", c.ID, c.State)
		if c.Reason != "" {
			part += " (" + c.Reason + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "nothing, not even a connection"
	}
	return strings.Join(parts, ", ")
}

// violated records that the operator broke the protocol or the contract.
func (s *Server) violated(c *connection, method, text string) {
	line := c.id + ": " + text
	if method != "" {
		line = c.id + ": " + method + ": " + text
	}
	s.change(func() { s.violations = append(s.violations, line) })
	s.options.Logf("VIOLATION %s", line)
}

// ProtocolViolations are the breaches of protocol (which ended a connection) and of contract
// (a report without tenantId, say, which a real controller ignores in silence). A wrong guess
// of the generation is none: its answer is in Call.Error.
func (s *Server) ProtocolViolations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}
