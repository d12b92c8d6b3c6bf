package devcontroller

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const (
	tenant  = "meshtest"
	poolID  = "65d5c447b420da3fb12381a1"
	otherID = "65d5c447b420da3fb12381a2"
)

var (
	ownPool   = Pool{tenant, poolID}
	otherPool = Pool{tenant, otherID}
)

// patience ends a test that waits for what never comes; no test depends on its length.
const patience = 30 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func startServer(t *testing.T, options Options) *Server {
	t.Helper()
	options.Logf = func(format string, args ...any) {
		line := fmt.Sprintf(format, args...)
		if len(line) > 300 {
			line = line[:300] + "…"
		}
		t.Log(line)
	}
	s := New(options)
	if err := s.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// rawClient speaks the hub protocol frame by frame, so that it can speak it wrongly too.
type rawClient struct {
	t      *testing.T
	ctx    context.Context
	socket *websocket.Conn
	frames []string
	calls  int
}

func hubURL(s *Server) string { return s.URL() + "/operatorHub" }

// dialRaw opens the websocket without negotiation and without a handshake.
func dialRaw(t *testing.T, s *Server) *rawClient {
	t.Helper()
	return dialURL(t, hubURL(s), nil)
}

func dialURL(t *testing.T, url string, header http.Header) *rawClient {
	t.Helper()
	ctx := testContext(t)
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	socket.SetReadLimit(-1)
	t.Cleanup(func() { _ = socket.CloseNow() })
	return &rawClient{t: t, ctx: ctx, socket: socket}
}

// dial opens a connection and completes the handshake.
func dial(t *testing.T, s *Server) *rawClient {
	t.Helper()
	c := dialRaw(t, s)
	c.shakeHands()
	return c
}

func (c *rawClient) shakeHands() {
	c.t.Helper()
	c.send(`{"protocol":"json","version":1}`)
	c.wantFrame(`{}`)
}

// send writes one hub message; the separator is added.
func (c *rawClient) send(frame string) {
	c.t.Helper()
	c.write(frame + "\x1e")
}

// write writes one websocket message as it is.
func (c *rawClient) write(text string) {
	c.t.Helper()
	if err := c.socket.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("cannot write: %v", err)
	}
}

// next is the next hub message from the server.
func (c *rawClient) next() string {
	c.t.Helper()
	for len(c.frames) == 0 {
		_, data, err := c.socket.Read(c.ctx)
		if err != nil {
			c.t.Fatalf("cannot read a message: %v", err)
		}
		text, whole := strings.CutSuffix(string(data), "\x1e")
		if !whole {
			c.t.Fatalf("websocket message ends inside a hub message: %.200q", data)
		}
		c.frames = strings.Split(text, "\x1e")
	}
	frame := c.frames[0]
	c.frames = c.frames[1:]
	return frame
}

func (c *rawClient) wantFrame(want string) {
	c.t.Helper()
	if got := c.next(); got != want {
		c.t.Fatalf("got frame\n%s\nwant\n%s", got, want)
	}
}

// wantClosed wants the websocket's end, in good order.
func (c *rawClient) wantClosed() {
	c.t.Helper()
	if len(c.frames) > 0 {
		c.t.Fatalf("unexpected frames before the end: %q", c.frames)
	}
	_, data, err := c.socket.Read(c.ctx)
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		c.t.Fatalf("got %.200q, %v, want the websocket closed with status 1000", data, err)
	}
}

type completion struct {
	Type         int             `json:"type"`
	InvocationID string          `json:"invocationId"`
	Result       json.RawMessage `json:"result"`
	Error        string          `json:"error"`
}

// invoke calls a hub method with arguments given as JSON and waits for the completion.
func (c *rawClient) invoke(method, arguments string) completion {
	c.t.Helper()
	c.calls++
	id := fmt.Sprint(c.calls)
	c.send(fmt.Sprintf(`{"type":1,"invocationId":%q,"target":%q,"arguments":%s}`, id, method, arguments))
	var answer completion
	frame := c.next()
	if err := json.Unmarshal([]byte(frame), &answer); err != nil {
		c.t.Fatalf("cannot read %s: %v", frame, err)
	}
	if answer.Type != 3 || answer.InvocationID != id {
		c.t.Fatalf("got %s, want the completion of call %s", frame, id)
	}
	return answer
}

// mustInvoke wants success.
func (c *rawClient) mustInvoke(method, arguments string) json.RawMessage {
	c.t.Helper()
	answer := c.invoke(method, arguments)
	if answer.Error != "" {
		c.t.Fatalf("%s%s failed: %s", method, arguments, answer.Error)
	}
	return answer.Result
}

func (c *rawClient) register(pool Pool) {
	c.t.Helper()
	c.mustInvoke("RegisterDeploymentSiteAsync", fmt.Sprintf("[%q,%q]", pool.TenantID, pool.ID))
}

// event reads a callback.
func (c *rawClient) event() (target string, args []json.RawMessage) {
	c.t.Helper()
	var m struct {
		Type         int
		InvocationID *string
		Target       string
		Arguments    []json.RawMessage
	}
	frame := c.next()
	if err := json.Unmarshal([]byte(frame), &m); err != nil || m.Type != 1 {
		c.t.Fatalf("got %.300s (%v), want an invocation", frame, err)
	}
	if m.InvocationID != nil {
		c.t.Fatalf("callback %s carries an invocation id: no answer is awaited", m.Target)
	}
	return m.Target, m.Arguments
}

func wantNoViolations(t *testing.T, s *Server) {
	t.Helper()
	if found := s.ProtocolViolations(); len(found) > 0 {
		t.Errorf("violations: %q", found)
	}
}
