package devcontroller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
)

// handshake reads the operator's choice of protocol and answers it. It runs before the writer
// starts: nothing, not even a ping, may precede the answer.
func (c *connection) handshake() error {
	timeout := time.AfterFunc(c.server.options.HandshakeTimeout, func() {
		if c.end(fmt.Sprintf("handshake failed: nothing received for %v", c.server.options.HandshakeTimeout), nil) {
			c.refuse("Handshake was canceled.")
		}
	})
	frame, err := c.frames.next()
	if !timeout.Stop() || c.closing.Err() != nil {
		return errors.New("connection closed") // the reason was recorded when it was closed
	}
	if err != nil {
		return err
	}
	if refusal := c.judge(frame); refusal != "" {
		c.refuse(refusal)
		return errors.New(refusal)
	}
	// Connected first: an operator that has the answer can be sent to. What is queued before the answer is
	// out waits for the writer.
	c.server.change(func() {
		if c.state == StateHandshake {
			c.state = StateConnected
		}
	})
	if err := c.socket.Write(context.Background(), websocket.MessageText, handshakeFrame); err != nil {
		return fmt.Errorf("cannot answer: %w", err)
	}
	c.server.options.Logf("%s connected (%s)", c.id, c.generation)
	return nil
}

// judge returns ASP.NET's refusal of a handshake request, empty when it is fine.
func (c *connection) judge(frame []byte) string {
	var request struct {
		Protocol *string `json:"protocol"`
		Version  *int    `json:"version"`
	}
	err := json.Unmarshal(frame, &request)
	switch {
	case err != nil:
		err = invalidData("Error reading JSON.")
	case request.Protocol == nil:
		err = invalidData("Missing required property 'protocol'.")
	case request.Version == nil:
		err = invalidData("Missing required property 'version'.")
	case *request.Protocol != "json":
		return fmt.Sprintf("The protocol '%s' is not supported.", *request.Protocol)
	case *request.Version != 1:
		return fmt.Sprintf("The server does not support version %d of the 'json' protocol.", *request.Version)
	default:
		return ""
	}
	hide := c.server.options.HideErrorDetails
	return explain("An unexpected error occurred during connection handshake.", err, hide)
}

// refuse answers a handshake with an error and closes the websocket.
func (c *connection) refuse(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = c.socket.Write(ctx, websocket.MessageText, mustFrame(map[string]string{"error": text}))
	_ = c.socket.Close(websocket.StatusNormalClosure, "")
}
