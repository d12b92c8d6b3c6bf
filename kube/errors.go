package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrUnreachable means that the API server was not reached, or cannot work now. The same request may succeed later.
var ErrUnreachable = errors.New("cannot reach the API server")

var errNoAnswer = fmt.Errorf("no answer within %s", longestRequest)

// StatusError is an answer of the API server other than success.
type StatusError struct {
	Code    int    // HTTP status code
	Reason  string // such as AlreadyExists; "": the answer was plain text
	Message string
}

func (e *StatusError) Error() string {
	return cmp.Or(e.Message, e.Reason, fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code)))
}

// NotFound tells whether the object does not exist, or the API server does not know the resource at all.
func NotFound(err error) bool { return hasCode(err, http.StatusNotFound) }

// Conflict tells whether the object has changed meanwhile (Reason Conflict) or exists already (Reason AlreadyExists).
func Conflict(err error) bool { return hasCode(err, http.StatusConflict) }

// Denied tells whether the API server does not accept the operator's credentials (401) or does not allow the request (403).
func Denied(err error) bool { return hasCode(err, http.StatusUnauthorized) || forbidden(err) }

func forbidden(err error) bool { return hasCode(err, http.StatusForbidden) }

func gone(err error) bool { return hasCode(err, http.StatusGone) }

func hasCode(err error, code int) bool {
	status := (*StatusError)(nil)
	return errors.As(err, &status) && status.Code == code
}

// LastOutage returns when a request last failed with ErrUnreachable; zero: never.
func (k *Client) LastOutage() time.Time {
	nanoseconds := k.outage.Load()
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

func (k *Client) unreachable(cause error) error {
	k.outage.Store(time.Now().UnixNano())
	return fmt.Errorf("%w: %w", ErrUnreachable, cause)
}

// Failed returns the error for a request, also one through Forward, without a complete answer: usually it wraps ErrUnreachable.
func (k *Client) Failed(ctx context.Context, err error) error {
	cannot := (*cannotRunError)(nil)
	switch {
	case errors.As(err, &cannot):
		return cannot
	case k.proxy.ctx.Err() != nil:
		return errClosed
	case errors.Is(ctx.Err(), context.Canceled): // by the caller
		return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	if named := (*url.Error)(nil); errors.As(err, &named) {
		err = named.Err // without the URL of kubectl proxy, which helps nobody
	}
	return k.unreachable(err)
}

// longestAnswer is how many bytes are read of an answer that is an error.
const longestAnswer = 64 << 10

// refused returns the error for an answer other than success. kubectl proxy is started again if it may have old credentials.
func (k *Client) refused(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	err, ofServer := statusOf(answer.StatusCode, text)
	ofProxy := answer.Header.Get("Audit-Id") == "" // every answer of the API server has this header
	if err.Code == http.StatusUnauthorized || ofProxy && unavailable(err, ofServer) {
		k.proxy.renew()
	}
	if unavailable(err, ofServer) {
		return k.unreachable(err)
	}
	return err
}

// statusOf parses an error answer. ofServer tells that it is a Status object. Plain text comes from kubectl proxy, from the API server
// while it starts, or from a load balancer in front of it.
func statusOf(code int, text []byte) (err *StatusError, ofServer bool) {
	var status struct{ Kind, Reason, Message string }
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		return &StatusError{Code: code, Reason: status.Reason, Message: status.Message}, true
	}
	return &StatusError{Code: code, Message: plainMessage(string(text))}, false
}

// plainMessage returns what a person needs of a plain-text answer: its first line, or for /readyz the checks that failed.
func plainMessage(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	failed := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "[-]") })
	switch {
	case len(failed) > 0:
		return strings.Join(failed, ", ")
	case strings.HasPrefix(lines[0], "<"): // a page for browsers
		return ""
	}
	return lines[0]
}

// ofStorage matches an "internal error" of the API server whose cause is an outage of etcd.
var ofStorage = regexp.MustCompile(`etcdserver: |rpc error: code = Unavailable`)

// unavailable tells whether an answer means that the API server cannot work now or was not reached. For the latter kubectl proxy answers
// with a plain-text 500.
func unavailable(err *StatusError, ofServer bool) bool {
	switch err.Code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return !ofServer || ofStorage.MatchString(err.Message)
	}
	return err.Code > http.StatusInternalServerError && !ofServer
}
