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
	// maxPiece is how much of a websocket message is read at once. A limit on the message, as the library's own of 32 KiB, would end the
	// connection: an event that is too long (bounds.Event) would do it to all others, again each time that the controller sends it.
	maxPiece = maxReadAhead
	frameEnd = '\x1e'
	// maxBatch bounds what is received at once: the first of a batch waits for the last.
	maxBatch = 256
)

var pingFrame = []byte("{\"type\":6}\x1e")

// invocation is what a frame says about itself.
type invocation struct {
	Type         int               `json:"type"`
	InvocationID *string           `json:"invocationId"`
	Target       string            `json:"target"`
	Arguments    []json.RawMessage `json:"arguments"`
}

// connection is a websocket to the hub. The SignalR library speaks over it: handshake, pings, our own invocations and
// their completions. The controller's callbacks it never sees: the library runs each in a goroutine of its own (in a
// burst of 500 pairs 487 came out of order), answers an unknown one with a completion without an invocation id (on which
// ASP.NET Core closes the connection), and logs their arguments. So callbacks go straight to receive, in order: as many at a
// time as came while receive was at the ones before, up to maxBatch. Reading goes on meanwhile, but not far (maxReadAhead): a
// slow disk slows the controller down instead of filling the memory.
type connection struct {
	*signalr.ConnectionBase
	ws      *websocket.Conn
	cancel  context.CancelFunc
	receive func([]invocation)
	log     *slog.Logger

	ahead     *readAhead
	buffer    bytes.Buffer  // what was taken and is no whole frame yet
	tooLong   bool          // what has come of the frame is, and is forgotten
	callbacks []invocation  // taken and not received yet
	receiving atomic.Bool   // receive is at work
	frames    chan []byte   // whole frames for the library
	frame     []byte        // the rest of the one that the library is reading
	ended     chan struct{} // closed when everything that was read is received, and no more will be; err says why
	err       error
}

// open connects and begins to read. Whoever opened it must close it.
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
	go c.takeAll()
	return c, nil
}

// close returns when the last callback has been received: the next connection must not overtake it.
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
			return nil, token // it is the issuer who is to blame, not the controller
		}
		return nil, fmt.Errorf("cannot connect to %s: %w", url, err)
	}
	ws.SetReadLimit(-1) // see maxPiece
	return ws, nil
}

// refusedError: the controller knows who we are, or wants to, and does not let us in.
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

// readMessage reads a message in pieces.
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

// takeAll takes what is read, until the end of the connection.
func (c *connection) takeAll() {
	defer close(c.ended)
	for messages := c.ahead.take(); messages != nil; messages = c.ahead.take() {
		c.take(messages)
	}
}

// Read gives the library one frame at a time: its handshake throws away whatever comes in the same read.
func (c *connection) Read(p []byte) (int, error) {
	for len(c.frame) == 0 {
		select {
		case c.frame = <-c.frames:
		case <-c.ended:
			return 0, c.err
		case <-time.After(serverTimeout / 3):
			// The library ends a connection on which it saw nothing for 30 s. But it is us who do not read.
			if c.receiving.Load() {
				c.frame = pingFrame
			}
		}
	}
	n := copy(p, c.frame)
	c.frame = c.frame[n:]
	return n, nil
}

// take splits messages into frames and sorts them: callbacks to receive, everything else to the library, in the order of the wire.
func (c *connection) take(messages [][]byte) {
	for _, message := range messages {
		c.split(message)
	}
	c.receiveAll()
	if c.buffer.Len() == 0 {
		c.buffer = bytes.Buffer{} // a 4 MiB event must not stay in memory for the rest of the day
	}
	if c.receiving.Swap(false) {
		// The server sends no pings while it sends callbacks: each batch of them counts as one.
		c.toLibrary(pingFrame)
	}
}

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
		if c.tooLong { // whose it is could only be told by reading all of it
			c.log.Error("message ignored: it is too long for an event: make the workload's values smaller", "limit_bytes", bounds.Event)
			c.tooLong = false
			continue
		}
		frame := bytes.Clone(c.buffer.Bytes())
		c.buffer.Reset()
		c.sort(frame)
	}
}

func (c *connection) sort(frame []byte) {
	var i invocation
	if json.Unmarshal(frame, &i) != nil {
		// To the library this would be the end of the connection, and the frame, secrets and all, the reason.
		c.log.Error("frame ignored: it is no message of the SignalR hub protocol", "bytes", len(frame))
		return
	}
	if (i.Type == 1 || i.Type == 4) && (i.InvocationID == nil || *i.InvocationID == "") {
		if c.callbacks = append(c.callbacks, i); len(c.callbacks) == maxBatch {
			c.receiveAll()
		}
		return
	}
	c.receiveAll() // they came before
	c.toLibrary(append(frame, frameEnd))
}

// receiveAll receives the callbacks that were taken.
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

// Write drops completions without an invocation id, whatever made the library write one: the server would close the
// connection.
func (c *connection) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p[:min(len(p), 10)]), `{"type":3,`) {
		var i invocation
		if json.Unmarshal(bytes.TrimSuffix(p, []byte{frameEnd}), &i) == nil && (i.InvocationID == nil || *i.InvocationID == "") {
			c.log.Warn("completion without an invocation id not sent")
			return len(p), nil
		}
	}
	if err := c.ws.Write(c.Context(), websocket.MessageText, p); err != nil {
		return 0, fmt.Errorf("cannot send: %w", err)
	}
	return len(p), nil
}
