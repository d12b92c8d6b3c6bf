package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/philippseith/signalr"

	"octo-operator/bounds"
)

const (
	// maxPiece is how many bytes of a websocket message are read at once. The message itself has no limit: with one, such as the library's 32 KiB, a
	// longer message would end the connection, for all other events too, each time that the controller sends it. An event that is too long
	// (bounds.Event) is dropped instead.
	maxPiece = maxReadAhead
	frameEnd = '\x1e'
	// maxBatch bounds how many callbacks receive gets at once: none of them is handled before all of them have been written to disk.
	maxBatch = 256
)

var pingFrame = []byte("{\"type\":6}\x1e")

// invocation holds the fields of a SignalR frame that we need.
type invocation struct {
	Type         int               `json:"type"`
	InvocationID *string           `json:"invocationId"`
	Target       string            `json:"target"`
	Arguments    []json.RawMessage `json:"arguments"`
}

// connection is a websocket to the hub, over which the SignalR library speaks: handshake and pings.
//
// The library sees neither our calls (see pendingCalls) nor the controller's callbacks. It must not see callbacks for three reasons: it runs each in
// a goroutine of its own and so loses their order (in a burst of 500 pairs 487 came out of order); it answers an unknown callback with a completion
// without an invocation id, on which ASP.NET Core closes the connection; and it logs the arguments. Callbacks go to receive instead, in their order.
// Each call of receive gets those that have come while it handled the ones before, at most maxBatch. Meanwhile reading goes on, up to maxReadAhead
// bytes: a slow disk slows the controller down and does not fill the memory.
type connection struct {
	*signalr.ConnectionBase
	ws      *websocket.Conn
	cancel  context.CancelFunc
	receive func([]invocation)
	log     *slog.Logger

	calls     pendingCalls
	ahead     *readAhead
	buffer    bytes.Buffer  // the beginning of a frame whose end has not come yet
	tooLong   bool          // that frame exceeds bounds.Event; its bytes are dropped
	callbacks []invocation  // parsed, and not passed to receive yet
	receiving atomic.Bool   // receive is running, or has run for the messages in process
	frames    chan []byte   // whole frames for the library
	frame     []byte        // the part of a frame that the library has not read yet
	ended     chan struct{} // closed after the last callback was passed to receive; err says why the connection ended
	err       error
}

// open dials the hub and begins to read. The caller must close the connection.
func open(ctx context.Context, url string, client *http.Client, receive func([]invocation), log *slog.Logger) (*connection, error) {
	dialContext, cancelDial := context.WithTimeout(ctx, dialTimeout)
	defer cancelDial()
	ws, err := dial(dialContext, url, client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &connection{
		ConnectionBase: signalr.NewConnectionBase(ctx, ""), ws: ws, cancel: cancel, receive: receive, log: log,
		ahead: newReadAhead(), frames: make(chan []byte, 16), ended: make(chan struct{}),
	}
	go c.read()
	go c.processAll()
	return c, nil
}

// close ends the connection. It returns when receive has handled the last callback, so that those of the next connection come after it.
func (c *connection) close() {
	c.cancel()
	_ = c.ws.CloseNow()
	<-c.ended
}

// dial opens the websocket directly: ASP.NET Core accepts a connection without negotiation.
func dial(ctx context.Context, url string, client *http.Client) (*websocket.Conn, error) {
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		if response != nil && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden) {
			return nil, &refusedError{url, response.Status}
		}
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("cannot connect to %s: the server answers %s", url, response.Status)
		}
		if token := (*tokenError)(nil); errors.As(err, &token) {
			return nil, token // names the token's issuer: the controller was not even asked
		}
		return nil, fmt.Errorf("cannot connect to %s: %w", url, err)
	}
	ws.SetReadLimit(-1) // see maxPiece
	return ws, nil
}

// refusedError says that the server answered 401 or 403.
type refusedError struct{ url, status string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("cannot connect to %s: the server answers %s", e.url, e.status)
}

func (c *connection) read() {
	defer c.ahead.end()
	for {
		if c.err = c.readMessage(); c.err != nil {
			return
		}
	}
}

// readMessage reads one websocket message in pieces of maxPiece.
func (c *connection) readMessage() error {
	_, message, err := c.ws.Reader(c.Context())
	if err != nil {
		return err
	}
	for {
		piece, err := io.ReadAll(io.LimitReader(message, maxPiece))
		if err != nil {
			return err
		}
		if len(piece) > 0 {
			c.ahead.put(piece)
		}
		if len(piece) < maxPiece {
			return nil
		}
	}
}

// processAll processes what read puts into the read-ahead queue, until the end of the connection.
func (c *connection) processAll() {
	defer close(c.ended)
	for messages := c.ahead.take(); messages != nil; messages = c.ahead.take() {
		c.process(messages)
	}
}

// Read gives the library one frame at a time, because its handshake discards whatever else comes in the same read.
func (c *connection) Read(p []byte) (int, error) {
	for len(c.frame) == 0 {
		select {
		case c.frame = <-c.frames:
		case <-c.ended:
			return 0, c.err
		case <-time.After(serverTimeout / 3):
			// The library would end the connection after 30 s without a frame. But it is we who hold the frames back while receive runs.
			if c.receiving.Load() {
				c.frame = pingFrame
			}
		}
	}
	n := copy(p, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// process splits messages into frames. Callbacks go to receive, all other frames to the library, in the order in which they came.
func (c *connection) process(messages [][]byte) {
	for _, message := range messages {
		c.split(message)
	}
	c.receiveAll()
	if c.buffer.Len() == 0 {
		c.buffer = bytes.Buffer{} // frees the memory that a large event has taken
	}
	if c.receiving.Swap(false) {
		// The server sends no pings while it sends callbacks, so each batch of callbacks counts as a ping.
		c.toLibrary(pingFrame)
	}
}

// split appends message to the buffer and sorts each frame that is complete.
func (c *connection) split(message []byte) {
	for {
		head, rest, whole := bytes.Cut(message, []byte{frameEnd})
		if c.tooLong = c.tooLong || c.buffer.Len()+len(head) > bounds.Event; c.tooLong {
			c.buffer = bytes.Buffer{}
		} else {
			c.buffer.Write(head)
		}
		if !whole {
			return
		}
		message = rest
		if c.tooLong { // the log cannot say whose event it is: that would need the whole frame
			c.log.Error("message ignored: it is too long for an event: make the workload's values smaller", "limit_bytes", bounds.Event)
			c.tooLong = false
			continue
		}
		frame := bytes.Clone(c.buffer.Bytes())
		c.buffer.Reset()
		c.sort(frame)
	}
}

// sort queues a callback for receive, and passes any other frame to the library.
func (c *connection) sort(frame []byte) {
	var i invocation
	if json.Unmarshal(frame, &i) != nil {
		// The library would end the connection and put the whole frame, which may hold secrets, into its error.
		c.log.Error("frame ignored: it is no message of the SignalR hub protocol", "bytes", len(frame), "next", "nothing of it is done: if it was an event, the controller must send it again")
		return
	}
	if (i.Type == 1 || i.Type == 4) && (i.InvocationID == nil || *i.InvocationID == "") {
		if c.callbacks = append(c.callbacks, i); len(c.callbacks) == maxBatch {
			c.receiveAll()
		}
		return
	}
	c.receiveAll() // these callbacks came before the frame
	if i.Type == 3 && i.InvocationID != nil {
		c.completed(*i.InvocationID, frame)
		c.toLibrary(pingFrame) // the server sends no pings while it sends completions
		return
	}
	c.toLibrary(append(frame, frameEnd))
}

// receiveAll passes the queued callbacks to receive.
func (c *connection) receiveAll() {
	if len(c.callbacks) == 0 {
		return
	}
	c.receiving.Store(true)
	c.receive(c.callbacks)
	c.callbacks = nil
}

func (c *connection) toLibrary(frame []byte) {
	select {
	case c.frames <- frame:
	case <-c.Context().Done():
	}
}

// Write sends a frame of the library. Completions without an invocation id are dropped, because the server would close the connection.
func (c *connection) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p[:min(len(p), 10)]), `{"type":3,`) {
		var i invocation
		if json.Unmarshal(bytes.TrimSuffix(p, []byte{frameEnd}), &i) == nil && (i.InvocationID == nil || *i.InvocationID == "") {
			c.log.Warn("completion without an invocation id not sent", "next", "nothing: the controller does not wait for it")
			return len(p), nil
		}
	}
	if err := c.ws.Write(c.Context(), websocket.MessageText, p); err != nil {
		return 0, fmt.Errorf("cannot send: %w", err)
	}
	return len(p), nil
}
