package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many are open at a time. A new one is never turned away or kept waiting, so that nobody can keep the
// kubelet and the API server out by holding connections: the one on which nothing has begun or ended for longest is closed.
type connections struct {
	limit int

	mu   sync.Mutex
	open map[net.Conn]*list.Element
	old  list.List // of net.Conn, that of the oldest change first
}

// changed is the ConnState of an http.Server.
func (c *connections) changed(connection net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]*list.Element{}
		}
		c.open[connection] = c.old.PushBack(connection)
		if len(c.open) > c.limit {
			c.closeOldest()
		}
	case http.StateActive, http.StateIdle:
		if element, ok := c.open[connection]; ok {
			c.old.MoveToBack(element)
		}
	case http.StateClosed, http.StateHijacked:
		c.forget(connection)
	}
}

func (c *connections) closeOldest() {
	oldest := c.old.Front().Value.(net.Conn)
	c.forget(oldest)
	// TLS takes leave of the other side, which may take seconds.
	if secured, ok := oldest.(*tls.Conn); ok {
		oldest = secured.NetConn()
	}
	_ = oldest.Close()
}

func (c *connections) forget(connection net.Conn) {
	if element, ok := c.open[connection]; ok {
		c.old.Remove(element)
		delete(c.open, connection)
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}
