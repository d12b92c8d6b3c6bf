package devcontroller

import (
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestHandshakeRefusalsAreASPNETs(t *testing.T) {
	s := startServer(t, Options{})
	for _, test := range []struct{ request, answer string }{
		{`{"protocol":"messagepack","version":1}`, `{"error":"The protocol 'messagepack' is not supported."}`},
		{`{"protocol":"json","version":2}`, `{"error":"The server does not support version 2 of the 'json' protocol."}`},
		{`{"version":1}`, `{"error":"An unexpected error occurred during connection handshake. ` +
			`InvalidDataException: Missing required property 'protocol'."}`},
		{`hello`, `{"error":"An unexpected error occurred during connection handshake. ` +
			`InvalidDataException: Error reading JSON."}`},
	} {
		c := dialRaw(t, s)
		c.send(test.request)
		c.wantFrame(test.answer)
		c.wantClosed()
	}
}

func TestHandshakeThatNeverComesIsCanceled(t *testing.T) {
	s := startServer(t, Options{HandshakeTimeout: 20 * time.Millisecond})
	c := dialRaw(t, s)
	c.wantFrame(`{"error":"Handshake was canceled."}`)
	c.wantClosed()
}

func TestHandshakeAndFirstCallMayShareAMessage(t *testing.T) {
	s := startServer(t, Options{})
	c := dialRaw(t, s)
	c.write(`{"protocol":"json","version":1}` + "\x1e" +
		`{"type":1,"invocationId":"7","target":"RegisterOperatorAsync","arguments":[null]}` + "\x1e")
	c.wantFrame(`{}`)
	c.wantFrame(`{"invocationId":"7","result":[],"type":3}`)
}

func TestMessageMaySpanWebsocketMessages(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.write(`{"type":1,"invocationId":"1","tar`)
	c.write(`get":"RegisterOperatorAsync","arguments":[tr`)
	c.write("ue]}\x1e")
	c.wantFrame(`{"invocationId":"1","result":[],"type":3}`)
}

func TestProtocolViolationClosesTheConnection(t *testing.T) {
	for _, test := range []struct{ name, frame, reason string }{
		{"completion without id", `{"type":3,"error":"no such method"}`, "Missing required property 'invocationId'."},
		{"completion with an empty id", `{"type":3,"invocationId":"","result":1}`, "Missing required property 'invocationId'."},
		{"null id", `{"type":3,"invocationId":null}`, "Expected 'invocationId' to be of type String."},
		{"error and result", `{"type":3,"invocationId":"1","error":"e","result":1}`,
			"The 'error' and 'result' properties are mutually exclusive."},
		{"no type", `{}`, "Missing required property 'type'."},
		{"type in the wrong case", `{"Type":6}`, "Missing required property 'type'."},
		{"type no number", `{"type":"6"}`, "Expected 'type' to be of type Number."},
		{"no target", `{"type":1,"arguments":[]}`, "Missing required property 'target'."},
		{"no arguments", `{"type":1,"target":"RegisterOperatorAsync"}`, "Missing required property 'arguments'."},
		{"stream item without item", `{"type":2,"invocationId":"1"}`, "Missing required property 'item'."},
		{"cancel without id", `{"type":5}`, "Missing required property 'invocationId'."},
		{"no JSON", `{"type":`, "Error reading JSON."},
		{"array", `[]`, "Unexpected JSON Token Type 'Array'. Expected a JSON Object."},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, Options{})
			c := dial(t, s)
			c.send(test.frame)
			c.wantFrame(`{"type":7,"error":"Connection closed with an error. InvalidDataException: ` +
				test.reason + `","allowReconnect":true}`)
			c.wantClosed()
			got := s.Connections()[0]
			if got.State != StateClosed || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("connection is %s, reason %q", got.State, got.Reason)
			}
			if found := s.ProtocolViolations(); len(found) != 1 || !strings.Contains(found[0], test.reason) {
				t.Errorf("violations: %q", found)
			}
		})
	}
}

func TestHiddenDetailsLeaveOnlyTheGeneralText(t *testing.T) {
	s := startServer(t, Options{HideErrorDetails: true})
	c := dial(t, s)
	got := c.invoke("RegisterOperatorAsync", `[]`).Error
	if want := "Failed to invoke 'RegisterOperatorAsync' due to an error on the server."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = c.invoke("NoSuchAsync", `[]`).Error
	want := "Failed to invoke 'NoSuchAsync' due to an error on the server. HubException: Method does not exist."
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.send(`{"type":3}`)
	c.wantFrame(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
}

func TestHarmlessMessagesAreIgnored(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	for _, frame := range []string{
		`{"type":6}`,
		`{"type":99,"future":true}`,
		`{"type":3,"invocationId":"17","result":null}`,
		`{"type":2,"invocationId":"17","item":1}`,
		`{"type":5,"invocationId":"17"}`,
		`{"type":1,"target":"RegisterOperatorAsync","arguments":[true],"headers":{"a":"b"},"more":1}`,
	} {
		c.send(frame)
	}
	c.register(ownPool)
	if got := s.Connections()[0]; got.State != StateConnected || got.Central == nil || !*got.Central {
		t.Errorf("got %+v, want an open connection of a central operator", got)
	}
	wantNoViolations(t, s)
}

func TestReceiveLimitCountsOneMessageOnly(t *testing.T) {
	s := startServer(t, Options{ReceiveLimit: 200})
	c := dial(t, s)
	c.write(strings.Repeat(`{"type":6}`+"\x1e", 100))
	c.send(`{"type":6,"pad":"` + strings.Repeat("x", 200-len(`{"type":6,"pad":""}`)-1) + `"}`) // exactly 200
	c.register(ownPool)
	c.send(`{"type":6,"pad":"` + strings.Repeat("x", 200-len(`{"type":6,"pad":""}`)) + `"}`)
	c.wantFrame(`{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size ` +
		`of 200B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`)
	c.wantClosed()
}

func TestEndlessMessageIsCutAtTheLimit(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.write(strings.Repeat("x", 40*1024)) // no separator
	if frame := c.next(); !strings.Contains(frame, "The maximum message size of 32768B was exceeded.") {
		t.Errorf("got %s", frame)
	}
	c.wantClosed()
}

func TestServerPingsWhenItHasNothingToSay(t *testing.T) {
	s := startServer(t, Options{KeepAlive: 5 * time.Millisecond})
	c := dial(t, s)
	for range 3 {
		c.wantFrame(`{"type":6}`)
	}
}

func TestServerNeverPingsWithNegativeKeepAlive(t *testing.T) {
	s := startServer(t, Options{KeepAlive: -1, ClientTimeout: 50 * time.Millisecond})
	c := dial(t, s)
	if frame := c.next(); !strings.HasPrefix(frame, `{"type":7`) {
		t.Errorf("got %s, want nothing before the close message", frame)
	}
}

func TestSilentClientIsClosedAfterTheClientTimeout(t *testing.T) {
	s := startServer(t, Options{ClientTimeout: time.Second})
	c := dial(t, s)
	c.write(`{"type":`) // half a message is no sign of life
	c.wantFrame(`{"type":7,"error":"Connection closed with an error. OperationCanceledException: Client hasn't sent a ` +
		`message/ping within the configured ClientTimeoutInterval.","allowReconnect":true}`)
	c.wantClosed()
	if reason := s.Connections()[0].Reason; !strings.HasPrefix(reason, "client timeout") {
		t.Errorf("reason is %q", reason)
	}
}

func TestClientTimeoutDoesNotRunDuringAnInvocation(t *testing.T) {
	// The second call waits for the first, and so does the reader: ASP.NET stops its clock then.
	const timeout = 3 * time.Second // a busy machine may need some of it to send the calls
	s := startServer(t, Options{ClientTimeout: timeout})
	slow := make(chan struct{})
	s.OnInvoke("RegisterOperatorAsync", func(Call) (any, error) { <-slow; return nil, nil })
	c := dial(t, s)
	c.send(`{"type":1,"invocationId":"1","target":"RegisterOperatorAsync","arguments":[true]}`)
	c.send(`{"type":1,"invocationId":"2","target":"RegisterOperatorAsync","arguments":[true]}`)
	time.AfterFunc(timeout+time.Second, func() { close(slow) })
	c.wantFrame(`{"invocationId":"1","result":[],"type":3}`)
	c.wantFrame(`{"invocationId":"2","result":[],"type":3}`)
}

func TestClientsCloseMessageEndsTheConnection(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	c.send(`{"type":7,"error":"operator stops"}`)
	c.wantFrame(`{"type":7,"allowReconnect":true}`)
	c.wantClosed()
	if reason := s.Connections()[0].Reason; reason != "closed by the client: operator stops" {
		t.Errorf("reason is %q", reason)
	}
}

func TestLostClientIsNoticed(t *testing.T) {
	s := startServer(t, Options{})
	lost, left := dial(t, s), dial(t, s)
	_ = lost.socket.CloseNow()
	_ = left.socket.Close(websocket.StatusNormalClosure, "")
	for _, c := range s.Connections() {
		if _, err := s.WaitClosed(testContext(t), c.ID); err != nil {
			t.Error(err)
		}
	}
}
