package devcontroller

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/coder/websocket"
)

// frameReader cuts what a websocket delivers into hub messages. To ASP.NET the websocket is a
// stream of bytes: a websocket message may hold several hub messages, or a part of one.
type frameReader struct {
	socket  *websocket.Conn
	limit   int
	current io.Reader // of the websocket message under way
	pending []byte    // read, not yet cut
}

// next waits for one message and returns it without its separator. The slice is valid until
// the next call.
func (r *frameReader) next() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(r.pending[searched:], separator); i >= 0 {
			end := searched + i
			if end+1 > r.limit {
				return nil, r.tooLong()
			}
			frame := r.pending[:end:end]
			r.pending = r.pending[end+1:]
			return frame, nil
		}
		if len(r.pending) > r.limit {
			return nil, r.tooLong()
		}
		searched = len(r.pending)
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

func (r *frameReader) tooLong() error {
	return invalidData("The maximum message size of %dB was exceeded. "+
		"The message size can be configured in AddHubOptions.", r.limit)
}

// more appends what the websocket has to pending.
func (r *frameReader) more() error {
	chunk := make([]byte, 4096)
	for {
		if r.current == nil {
			_, message, err := r.socket.Reader(context.Background())
			if err != nil {
				return err
			}
			r.current = message
		}
		n, err := r.current.Read(chunk)
		if errors.Is(err, io.EOF) {
			r.current, err = nil, nil
		}
		if n > 0 || err != nil {
			r.pending = append(r.pending, chunk[:n]...)
			return err
		}
	}
}
