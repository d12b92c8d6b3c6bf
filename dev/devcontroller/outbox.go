package devcontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coder/websocket"
)

// batchBytes is the most that short frames are gathered into one websocket message: the size
// of ASP.NET's transport buffer, which goes out as one message when a burst fills it.
const batchBytes = 64 * 1024

// fragmentBytes is Kestrel's block size: a message longer than that goes out as several
// websocket frames, so a client that takes one frame for one message shows it here.
const fragmentBytes = 4096

// enqueue hands a frame to the writer and waits while its queue is full. A nil error means
// that the frame goes out in this order, unless the connection is lost before.
func (c *connection) enqueue(ctx context.Context, frame []byte) error {
	if c.closing.Err() != nil {
		return c.closedError()
	}
	select {
	case c.outbox <- frame:
		return nil
	case <-c.closing.Done():
		return c.closedError()
	case <-ctx.Done():
		return fmt.Errorf("the operator on connection %s does not read: %w", c.id, ctx.Err())
	}
}

func (c *connection) closedError() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return fmt.Errorf("connection %s is closed: %s", c.id, c.reason)
}

// write sends what is queued, and a ping when there was nothing to send for KeepAlive.
func (c *connection) write() {
	keepAlive := c.server.options.KeepAlive
	ping := time.NewTimer(max(keepAlive, 0))
	defer ping.Stop()
	if keepAlive < 0 {
		ping.Stop()
	}
	for {
		var err error
		select {
		case frame := <-c.outbox:
			err = c.writeMessage(c.batch(frame))
		case <-ping.C:
			err = c.writeMessage(pingFrame)
		case <-c.closing.Done():
			c.sayFarewell()
			return
		}
		if err != nil {
			c.drop(fmt.Sprintf("connection lost: cannot write: %v", err))
			return
		}
		if keepAlive > 0 {
			ping.Reset(keepAlive)
		}
	}
}

// batch adds to a frame those that wait behind it.
func (c *connection) batch(frame []byte) []byte {
	batch := slices.Clip(frame) // so that append copies: SendAll queues one frame on many connections
	for len(batch) < batchBytes {
		select {
		case next := <-c.outbox:
			batch = append(batch, next...)
		default:
			return batch
		}
	}
	return batch
}

// sayFarewell ends the connection as shut asked for; without a farewell it is lost already.
func (c *connection) sayFarewell() {
	var farewell []byte
	select {
	case farewell = <-c.farewell:
	default:
		return
	}
	var err error
	for waiting := true; waiting && err == nil; {
		select {
		case frame := <-c.outbox:
			err = c.writeMessage(frame)
		default:
			waiting = false
		}
	}
	err = errors.Join(err, c.writeMessage(farewell))
	if err != nil {
		c.server.options.Logf("%s: cannot write the close message: %v", c.id, err)
		return
	}
	_ = c.socket.Close(websocket.StatusNormalClosure, "")
}

func (c *connection) writeMessage(message []byte) error {
	// No deadline: a client that does not read is the sender's business, and the end of the
	// connection (shut, DropConnections) closes the socket under a blocked write.
	writer, err := c.socket.Writer(context.Background(), websocket.MessageText)
	if err != nil {
		return err
	}
	for len(message) > fragmentBytes {
		if _, err := writer.Write(message[:fragmentBytes]); err != nil {
			return err
		}
		message = message[fragmentBytes:]
	}
	if _, err := writer.Write(message); err != nil {
		return err
	}
	return writer.Close()
}
