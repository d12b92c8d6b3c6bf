package hub

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
)

// bareServer sends and receives single frames, for what the simulated controller cannot do.
type bareServer struct {
	url      string
	greeting string // the answer to the handshake
	sockets  chan *websocket.Conn
	socket   *websocket.Conn
	frames   [][]byte
}

func startBareServer(t *testing.T) *bareServer {
	s := newBareServer(t)
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(server.Close)
	return s
}

func newBareServer(t *testing.T) *bareServer {
	s := &bareServer{greeting: "{}\x1e", sockets: make(chan *websocket.Conn, 10)}
	t.Cleanup(func() {
		close(s.sockets)
		for socket := range s.sockets {
			_ = socket.CloseNow()
		}
		if s.socket != nil {
			_ = s.socket.CloseNow()
		}
	})
	return s
}

func (s *bareServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.sockets <- socket
}

// accept takes the operator's connection and shakes hands.
func (s *bareServer) accept(ctx context.Context, t *testing.T) {
	t.Helper()
	s.socket = receive(ctx, t, s.sockets, "the operator's connection")
	if got := string(s.next(ctx, t)); got != `{"protocol":"json","version":1}` {
		t.Fatalf("the operator began with %s", got)
	}
	must(t, s.socket.Write(ctx, websocket.MessageText, []byte(s.greeting)))
}

func (s *bareServer) send(ctx context.Context, t *testing.T, frame string) {
	t.Helper()
	must(t, s.socket.Write(ctx, websocket.MessageText, []byte(frame+"\x1e")))
}

// next returns the next frame from the operator.
func (s *bareServer) next(ctx context.Context, t *testing.T) []byte {
	t.Helper()
	for len(s.frames) == 0 {
		_, message, err := s.socket.Read(ctx)
		must(t, err)
		s.frames = bytes.Split(bytes.TrimSuffix(message, []byte{frameEnd}), []byte{frameEnd})
	}
	frame := s.frames[0]
	s.frames = s.frames[1:]
	return frame
}
