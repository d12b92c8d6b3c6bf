package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/philippseith/signalr"
)

const invokeTimeout = 30 * time.Second

// session is one connection with a registered operator.
type session struct {
	client     signalr.Client
	connection *connection
	generation Generation
	log        *slog.Logger
	tooLarge   sync.Map // PoolKeys that warnTooLarge has warned about
}

var (
	errLost    = errors.New("the connection is lost")
	errTooLong = fmt.Errorf("the controller takes %d bytes at most", maxFrame)
)

// invoke calls a method of the hub and waits for its completion. The error is a *rejectedError if the completion is an error, wraps
// errTooLong if nothing was sent, wraps errLost if the connection ended, or is ctx's.
func (s *session) invoke(ctx context.Context, method string, arguments ...any) (any, error) {
	if err := checkLength(method, arguments); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, invokeTimeout)
	defer cancel()
	return s.connection.call(ctx, method, arguments)
}

// maxFrame is the largest message in bytes that we send. ASP.NET Core closes the connection on a message above 32 KiB, and would do so
// again when the same message is sent over the next connection.
const maxFrame = 30 << 10

// envelope is in bytes: more than the parts of a message besides the method and the arguments take.
const envelope = 100

func checkLength(method string, arguments []any) error {
	text, err := json.Marshal(arguments)
	if err != nil {
		return fmt.Errorf("cannot call %s: %w", method, err)
	}
	if length := len(text) + len(method) + envelope; length > maxFrame {
		return fmt.Errorf("cannot call %s with %d bytes: %w", method, length, errTooLong)
	}
	return nil
}

// wait blocks until the connection ends and returns the reason.
func (s *session) wait(ctx context.Context) error {
	var err error
	select {
	case err = <-s.client.WaitForState(ctx, signalr.ClientClosed):
	case <-ctx.Done():
	}
	if err = errors.Join(s.client.Err(), err); err != nil {
		return fmt.Errorf("the connection was lost: %s", withoutSource(err))
	}
	return errors.New("the controller closed the connection")
}

// withoutSource removes the unreadable frame from the library's error: it may hold secrets.
func withoutSource(err error) string {
	text, _, _ := strings.Cut(err.Error(), " (source: ")
	return text
}

func (s *session) close() { s.connection.close() }

// rejectedError is a completion with an error: the controller has answered and refused.
type rejectedError struct{ Method, Reason string }

func (e *rejectedError) Error() string { return fmt.Sprintf("%s was rejected: %s", e.Method, e.Reason) }

// unsupported tells whether the controller does not have the method.
func (e *rejectedError) unsupported() bool {
	return strings.Contains(e.Reason, "Method does not exist")
}

func unsupported(err error) bool {
	rejected := (*rejectedError)(nil)
	return errors.As(err, &rejected) && rejected.unsupported()
}
