package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
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

// libraryError matches the errors that the library returns for a call when the connection ends. They come before the library's state
// changes, and have no type.
var libraryError = regexp.MustCompile(`^(message loop ended$|hubConnection canceled|client canceled|cannot send: )`)

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
	results := s.client.Invoke(method, arguments...)
	var value any
	for {
		select {
		case r, open := <-results:
			switch {
			case !open:
				return value, ctx.Err()
			case r.Error != nil && (libraryError.MatchString(r.Error.Error()) || s.client.State() != signalr.ClientConnected):
				return nil, fmt.Errorf("cannot call %s: %w: %w", method, errLost, r.Error)
			case r.Error != nil:
				return nil, &rejectedError{Method: method, Reason: r.Error.Error()}
			case r.Value != nil:
				value = r.Value
			}
		case <-ctx.Done():
			go drain(results)
			return nil, fmt.Errorf("cannot call %s: no answer: %w", method, ctx.Err())
		}
	}
}

// drain reads the results that nobody waits for. Otherwise the library would keep a goroutine for ever.
func drain(results <-chan signalr.InvokeResult) {
	for range results {
	}
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
