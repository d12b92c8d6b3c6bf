package devcontroller

import (
	"context"
	"fmt"
	"slices"
)

// Connection is what a test sees of a connection, open or closed.
type Connection struct {
	ID            string
	Generation    Generation
	Negotiated    bool   // false: the operator dialled the websocket directly
	Authorization string // the header of the websocket request
	State         State
	Reason        string // why it was closed
	Central       *bool  // the mode of RegisterOperatorAsync; nil: not told
	Registered    []Pool
}

// Connections returns all connections of the server's life, in the order in which they came.
func (s *Server) Connections() []Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Connection, len(s.connections))
	for i, c := range s.connections {
		list[i] = Connection{c.id, c.generation, c.negotiated, c.authorization,
			c.state, c.reason, c.central, slices.Clone(c.registered)}
	}
	return list
}

// Refused returns how many requests were answered with 401.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// WaitConnected waits until n connections are open at the same time and returns the newest.
func (s *Server) WaitConnected(ctx context.Context, n int) (Connection, error) {
	var newest Connection
	err := s.Wait(ctx, fmt.Sprintf("%d open connections", n), func() bool {
		open := 0
		for _, c := range s.Connections() {
			if c.State == StateConnected {
				open, newest = open+1, c
			}
		}
		return open >= n
	})
	return newest, err
}

// WaitClosed waits until a connection is closed and returns it with its reason.
func (s *Server) WaitClosed(ctx context.Context, id string) (Connection, error) {
	var closed Connection
	err := s.Wait(ctx, "the end of connection "+id, func() bool {
		for _, c := range s.Connections() {
			if c.ID == id && c.State == StateClosed {
				closed = c
				return true
			}
		}
		return false
	})
	return closed, err
}

// WaitRegistered waits until an open connection has registered the pool and returns it.
func (s *Server) WaitRegistered(ctx context.Context, pool Pool) (Connection, error) {
	var owner Connection
	err := s.Wait(ctx, fmt.Sprintf("the registration of pool %s of tenant %s", pool.ID, pool.TenantID), func() bool {
		for _, c := range s.Connections() {
			if slices.Contains(c.Registered, pool) {
				owner = c
				return true
			}
		}
		return false
	})
	return owner, err
}

// DropConnections cuts every connection without a word, as a network or a killed controller.
func (s *Server) DropConnections() {
	for _, c := range s.living() {
		c.drop("dropped by the test")
	}
}

// CloseConnections sends each connection what is queued, then {"type":7}, with
// "allowReconnect":true if so, and closes it. It does not wait for the end.
func (s *Server) CloseConnections(allowReconnect bool) {
	for _, c := range s.living() {
		s.mu.Lock()
		handshake := c.state == StateHandshake
		s.mu.Unlock()
		if handshake {
			c.drop("closed by the server during the handshake")
		} else {
			c.shut("closed by the server", closeFrame("", allowReconnect))
		}
	}
}

// ForgetRegistrations drops what connections registered for a tenant, as a controller whose
// tenant is updated: its pools get no events until the operator registers them again.
func (s *Server) ForgetRegistrations(tenantID string) {
	s.change(func() {
		for _, c := range s.connections {
			c.registered = slices.DeleteFunc(slices.Clone(c.registered), func(p Pool) bool { return p.TenantID == tenantID })
		}
	})
}

// living are the connections that have not ended.
func (s *Server) living() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	var living []*connection
	for _, c := range s.connections {
		if c.state != StateClosed {
			living = append(living, c)
		}
	}
	return living
}
