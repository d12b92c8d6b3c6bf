package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/philippseith/signalr"
)

const (
	// maxMessage bounds one websocket message. The library's own limit of 32 KiB ends the connection at the first
	// longer values document; the contract asks for 4 MiB, and a burst of events may come as one message.
	maxMessage = 64 << 20
	frameEnd   = '\x1e'
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
// ASP.NET Core closes the connection), and logs their arguments. So Read hands callbacks straight to receive, in order,
// and blocks while receive does: a slow disk slows the controller down instead of filling the memory.
type connection struct {
	*signalr.ConnectionBase
	ws      *websocket.Conn
	receive func(target string, arguments []json.RawMessage)
	log     *slog.Logger

	buffer bytes.Buffer // what came and is no whole frame yet
	frames [][]byte     // whole frames for the library
}

// dial opens the websocket directly: ASP.NET Core accepts a connection without negotiation.
func dial(ctx context.Context, url string, client *http.Client, header http.Header) (*websocket.Conn, error) {
	ws, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err != nil {
		if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("cannot connect to %s: the server answers %s", url, response.Status)
		}
		return nil, fmt.Errorf("cannot connect to %s: %w", url, err)
	}
	ws.SetReadLimit(maxMessage)
	return ws, nil
}

// Read gives the library one frame at a time: its handshake throws away whatever comes in the same read.
func (c *connection) Read(p []byte) (int, error) {
	for len(c.frames) == 0 {
		_, message, err := c.ws.Read(c.Context())
		if err != nil {
			return 0, err
		}
		c.take(message)
	}
	n := copy(p, c.frames[0])
	if c.frames[0] = c.frames[0][n:]; len(c.frames[0]) == 0 {
		c.frames = c.frames[1:]
	}
	return n, nil
}

// take splits a message into frames and sorts them: callbacks to receive, everything else to the library.
func (c *connection) take(message []byte) {
	callbacks := false
	for {
		head, rest, whole := bytes.Cut(message, []byte{frameEnd})
		c.buffer.Write(head)
		if !whole {
			break
		}
		frame := bytes.Clone(c.buffer.Bytes())
		c.buffer.Reset()
		message = rest
		if target, arguments, ok := callback(frame); ok {
			c.receive(target, arguments)
			callbacks = true
			continue
		}
		c.frames = append(c.frames, append(frame, frameEnd))
	}
	if c.buffer.Len() == 0 {
		c.buffer = bytes.Buffer{} // a 4 MiB event must not stay in memory for the rest of the day
	}
	if callbacks {
		// The library ends a connection on which it saw nothing for 30 s, and the server sends no pings while it
		// sends callbacks: each batch of them counts as one.
		c.frames = append(c.frames, pingFrame)
	}
}

// callback tells whether the frame is an invocation that awaits no answer.
func callback(frame []byte) (target string, arguments []json.RawMessage, ok bool) {
	var i invocation
	if json.Unmarshal(frame, &i) != nil || (i.Type != 1 && i.Type != 4) || (i.InvocationID != nil && *i.InvocationID != "") {
		return "", nil, false
	}
	return i.Target, i.Arguments, true
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
		return 0, err
	}
	return len(p), nil
}
