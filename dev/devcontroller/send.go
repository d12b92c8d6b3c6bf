package devcontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Each Send* returns when its frame is queued for the connection, in the order of the calls; it
// waits while the queue is full, so a burst costs no more memory than the queue.

// Send calls the operator as the controller routes: a workload callback goes to the connection
// that registered the pool of the event (the newest, if several did), everything else, unknown
// callbacks too, to all connections. The args are marshalled to JSON as they are.
func (s *Server) Send(ctx context.Context, callback string, args ...any) error {
	frame, err := callbackFrame(callback, args)
	if err != nil {
		return err
	}
	if !routedByPool(callback) {
		return s.toAll(ctx, callback, func(*connection) ([]byte, error) { return frame, nil })
	}
	owner, err := s.ownerOf(args)
	if err == nil {
		err = owner.enqueue(ctx, frame)
	}
	return sendError(callback, err)
}

// SendAll calls every connected operator, whatever the callback.
func (s *Server) SendAll(ctx context.Context, callback string, args ...any) error {
	frame, err := callbackFrame(callback, args)
	if err != nil {
		return err
	}
	return s.toAll(ctx, callback, func(*connection) ([]byte, error) { return frame, nil })
}

// SendTo calls the operator on one connection.
func (s *Server) SendTo(ctx context.Context, connID, callback string, args ...any) error {
	frame, err := callbackFrame(callback, args)
	if err != nil {
		return err
	}
	return sendError(callback, s.enqueueTo(ctx, connID, frame))
}

// SendRaw sends text as one hub message, which need not be one: the separator is added.
func (s *Server) SendRaw(ctx context.Context, connID, text string) error {
	return sendError("raw text", s.enqueueTo(ctx, connID, append([]byte(text), separator)))
}

func (s *Server) enqueueTo(ctx context.Context, connID string, frame []byte) error {
	for _, c := range s.connected() {
		if c.id == connID {
			return c.enqueue(ctx, frame)
		}
	}
	return fmt.Errorf("connection %s is not open", connID)
}

// toAll sends each connection the frame made for it.
func (s *Server) toAll(ctx context.Context, callback string, frameFor func(*connection) ([]byte, error)) error {
	connected := s.connected()
	if len(connected) == 0 {
		return sendError(callback, errors.New("no operator is connected"))
	}
	for _, c := range connected {
		frame, err := frameFor(c)
		if err == nil {
			err = c.enqueue(ctx, frame)
		}
		if err != nil {
			return sendError(callback, err)
		}
	}
	return nil
}

func (s *Server) connected() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.connections), func(c *connection) bool { return c.state != StateConnected })
}

func callbackFrame(callback string, args []any) ([]byte, error) {
	frame, err := invocationFrame(callback, args)
	return frame, sendError(callback, err)
}

func sendError(callback string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot send %s: %w", callback, err)
}

func routedByPool(callback string) bool {
	callback = strings.ToLower(callback)
	return strings.HasPrefix(callback, "workload") || strings.HasPrefix(callback, "scaleworkload")
}

// ownerOf finds the connection for an event from the identity that it carries.
func (s *Server) ownerOf(args []any) (*connection, error) {
	if len(args) == 0 {
		return nil, errors.New("the event is missing, so is its pool")
	}
	encoded, err := json.Marshal(args[0])
	if err != nil {
		return nil, err
	}
	var identity map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &identity); err != nil {
		return nil, fmt.Errorf("the event is no object: %w", err)
	}
	value := func(name string) (text string) {
		_ = json.Unmarshal(identity[name], &text) // absent or no text: matches no pool
		return text
	}
	return s.owner(func(g Generation) Pool { return Pool{value("tenantId"), value(g.poolKey())} })
}

// owner is the newest connection that registered the pool, which each generation names its way.
func (s *Server) owner(poolIn func(Generation) Pool) (*connection, error) {
	var wanted []string
	for _, c := range slices.Backward(s.connected()) {
		pool := poolIn(c.generation)
		s.mu.Lock()
		owns := slices.Contains(c.registered, pool)
		s.mu.Unlock()
		if owns {
			return c, nil
		}
		wanted = append(wanted, fmt.Sprintf("%s of tenant %s on %s", pool.ID, pool.TenantID, c.id))
	}
	if wanted == nil {
		return nil, errors.New("no operator is connected")
	}
	return nil, fmt.Errorf("no connection has registered the pool (%s)", strings.Join(wanted, ", "))
}
