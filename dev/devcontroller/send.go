package devcontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Each Send* returns when its frame is queued for the connection, in the order of the calls; it
// waits while the queue is full, so a burst costs no more memory than the queue.

// SendAll calls every connected operator, with any callback, unknown ones too. The args are marshalled to JSON as they are.
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

// owner is the newest connection that registered the pool.
func (s *Server) owner(pool Pool) (*connection, error) {
	connected := s.connected()
	if len(connected) == 0 {
		return nil, errors.New("no operator is connected")
	}
	for _, c := range slices.Backward(connected) {
		s.mu.Lock()
		owns := slices.Contains(c.registered, pool)
		s.mu.Unlock()
		if owns {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no connection has registered the pool %s of tenant %s", pool.ID, pool.TenantID)
}
