package devcontroller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"
)

// connection is one websocket of an operator. Three goroutines serve it: the reader (run),
// the writer (see outbox.go) and at most one invocation (see invoke.go).
type connection struct {
	server        *Server
	id            string
	negotiated    bool
	authorization string
	generation    Generation
	methods       map[string]method

	socket   *websocket.Conn
	frames   *frameReader
	outbox   chan []byte
	farewell chan []byte        // the last frame, for the writer; filled once, by shut
	closing  context.Context    // done as soon as the connection begins to end
	stop     context.CancelFunc // ends closing
	invoking chan struct{}      // holds one element while an invocation runs

	// Guarded by server.mu.
	state      State
	reason     string // why it ended; the first reason counts
	central    *bool  // the argument of RegisterOperatorAsync
	registered []Pool
}

// State of a connection.
type State string

// The states of a connection, in their order.
const (
	StateHandshake State = "handshake"
	StateConnected State = "connected"
	StateClosed    State = "closed" // or closing: the reason stands, nothing is sent any more
)

// outboxLength bounds the memory of a burst: a sender that exceeds it waits until the operator reads.
const outboxLength = 64

// newConnection enters a websocket in the server's books. It is nil when the server was closed
// while the websocket was being opened.
func (s *Server) newConnection(id string, socket *websocket.Conn, negotiated bool, authorization string) *connection {
	c := &connection{
		server:        s,
		id:            id,
		negotiated:    negotiated,
		authorization: authorization,
		socket:        socket,
		frames:        &frameReader{socket: socket, limit: s.options.ReceiveLimit},
		outbox:        make(chan []byte, outboxLength),
		farewell:      make(chan []byte, 1),
		invoking:      make(chan struct{}, 1),
		state:         StateHandshake,
	}
	c.closing, c.stop = context.WithCancel(context.Background())
	entered := false
	s.change(func() {
		if s.stopped {
			return
		}
		entered = true
		s.open.Add(1)
		c.generation = s.generation
		c.methods = c.generation.methodTable(s.options.Lacks)
		s.connections = append(s.connections, c)
	})
	if !entered {
		c.stop()
		return nil
	}
	return c
}

// run serves the connection until it is over.
func (c *connection) run() {
	defer c.server.open.Done()
	defer func() { _ = c.socket.CloseNow() }()
	if err := c.handshake(); err != nil {
		c.end(fmt.Sprintf("handshake failed: %v", err), nil)
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	c.drop(c.read())
	<-written
}

// read dispatches messages until the connection ends, and says why it did.
func (c *connection) read() string {
	// ASP.NET counts from the end of one message to the end of the next: neither a half message
	// nor a websocket ping keeps a client alive, and a running invocation does not count.
	limit := c.server.options.ClientTimeout
	timeout := time.AfterFunc(limit, func() { c.timedOut(limit) })
	defer timeout.Stop()
	for {
		frame, err := c.frames.next()
		timeout.Stop()
		if c.closing.Err() != nil {
			return "" // the reason is known already
		}
		if err == nil {
			err = c.receive(frame)
		}
		if err != nil {
			return c.over(err)
		}
		timeout.Reset(limit)
	}
}

func (c *connection) timedOut(limit time.Duration) {
	err := dotnetError{"OperationCanceledException",
		"Client hasn't sent a message/ping within the configured ClientTimeoutInterval."}
	c.shut(fmt.Sprintf("client timeout: nothing received for %v", limit), c.closeWith(err))
}

// errClosedByClient is the client's own close message.
var errClosedByClient = errors.New("closed by the client")

// over ends a connection on which reading failed or was made useless by a violation.
func (c *connection) over(err error) string {
	var violation dotnetError
	switch {
	case errors.As(err, &violation):
		c.server.violated(c, "", violation.Error())
		c.shut(violation.Error(), c.closeWith(violation))
		return violation.Error()
	case errors.Is(err, errClosedByClient):
		c.shut(err.Error(), closeFrame("", true))
		return err.Error()
	case websocket.CloseStatus(err) != -1:
		return fmt.Sprintf("closed by the client: %v", err)
	case errors.Is(err, io.EOF):
		return "connection lost: the client closed it without a close frame"
	}
	return fmt.Sprintf("connection lost: %v", err)
}

// closeWith is the close message for an exception. ASP.NET allows a reconnect after each
// exception of a running connection.
func (c *connection) closeWith(err error) []byte {
	return closeFrame(explain("Connection closed with an error.", err, c.server.options.HideErrorDetails), true)
}

// shut ends the connection in good order: what is queued goes out, then the farewell frame,
// then the websocket is closed. Only the first end counts.
func (c *connection) shut(reason string, farewell []byte) {
	if c.end(reason, farewell) {
		// A client that reads nothing must not hold up the end.
		time.AfterFunc(closePatience, func() { _ = c.socket.CloseNow() })
	}
}

// closePatience is how long a client may take to read what was queued before the end.
const closePatience = 5 * time.Second

// drop ends the connection like a lost network, without a message.
func (c *connection) drop(reason string) {
	if c.end(reason, nil) {
		_ = c.socket.CloseNow()
	}
}

// end marks the connection as closed and leaves the farewell, if any, to the writer. It
// reports whether it was the first to do so.
func (c *connection) end(reason string, farewell []byte) bool {
	first := false
	c.server.change(func() {
		if c.state == StateClosed {
			return
		}
		first = true
		c.state, c.reason, c.registered = StateClosed, reason, nil
		if farewell != nil {
			c.farewell <- farewell // has room for this one; before stop, so that the writer finds it
		}
	})
	if first {
		c.server.options.Logf("%s closed: %s", c.id, reason)
	}
	c.stop()
	return first
}
