package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many are open at a time. A new one is never turned away or kept waiting, so that nobody can keep the
// kubelet and the API server out by holding connections: of whoever has most, the one on which nothing has begun or ended for longest
// is closed. Who opens hundreds in a millisecond closes their own, not the API server's that waits for an answer.
type connections struct {
	limit int

	mu   sync.Mutex
	open map[net.Conn]*list.Element
	old  list.List // of opened, that of the oldest change first
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

// changed is the ConnState of an http.Server.
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
	// TLS takes leave of the other side, which may take seconds.
	if secured, ok := oldest.(*tls.Conn); ok {
		oldest = secured.NetConn()
	}
	_ = oldest.Close()
}

// oldestOfMost is never called without an open connection.
func (c *connections) oldestOfMost() net.Conn {
	counts, most := map[string]int{}, ""
	for e := c.old.Back(); e != nil; e = e.Prev() { // of several with as many, who has the oldest
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
