package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections are open at a time. It never refuses a new one, so that nobody can shut out the kubelet and the
// API server by holding connections. Instead it closes one of the client address with the most connections: the one on which no request
// has begun or ended for longest. So a client that opens hundreds at once closes its own, and not the API server's that waits for an
// answer.
type connections struct {
	limit int

	mu   sync.Mutex
	open map[net.Conn]*list.Element
	old  list.List // of opened, sorted by the time of the last change, the oldest first
}

type opened struct {
	connection net.Conn
	from       string // the address without the port
}

func fromOf(connection net.Conn) string {
	address := connection.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// changed is the ConnState hook of an http.Server.
func (c *connections) changed(connection net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]*list.Element{}
		}
		c.open[connection] = c.old.PushBack(opened{connection, fromOf(connection)})
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
	oldest := c.oldestOfMost()
	c.forget(oldest)
	// Closing a TLS connection sends a message to the other side, which may take seconds.
	if secured, ok := oldest.(*tls.Conn); ok {
		oldest = secured.NetConn()
	}
	_ = oldest.Close()
}

// oldestOfMost returns the connection to close. There must be an open one.
func (c *connections) oldestOfMost() net.Conn {
	counts, most := map[string]int{}, ""
	for e := c.old.Back(); e != nil; e = e.Prev() { // of several with the same number, the one with the oldest connection
		from := e.Value.(opened).from
		if counts[from]++; counts[from] >= counts[most] {
			most = from
		}
	}
	for e := c.old.Front(); ; e = e.Next() {
		if o := e.Value.(opened); o.from == most {
			return o.connection
		}
	}
}

func (c *connections) forget(connection net.Conn) {
	if element, ok := c.open[connection]; ok {
		c.old.Remove(element)
		delete(c.open, connection)
	}
}
