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

// ErrUnreachable means that the API server was not reached or cannot work now. Whatever was asked, it may be asked again.
var ErrUnreachable = errors.New("cannot reach the API server")

var errNoAnswer = fmt.Errorf("no answer within %s", longestRequest)

// StatusError is an answer of the API server that is no success.
type StatusError struct {
	Code    int    // of HTTP
	Reason  string // such as AlreadyExists; "" where the answer was plain text
	Message string
}

func (e *StatusError) Error() string {
	return cmp.Or(e.Message, e.Reason, fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code)))
}

// NotFound tells whether the API server has no such object, or does not know the resource at all.
func NotFound(err error) bool { return hasCode(err, http.StatusNotFound) }

// Conflict tells whether somebody else was faster: the object has changed (Reason Conflict) or exists already (Reason
// AlreadyExists).
func Conflict(err error) bool { return hasCode(err, http.StatusConflict) }

// Denied tells whether the API server does not accept who asks, or does not allow him this.
func Denied(err error) bool { return hasCode(err, http.StatusUnauthorized) || forbidden(err) }

func forbidden(err error) bool { return hasCode(err, http.StatusForbidden) }

func gone(err error) bool { return hasCode(err, http.StatusGone) }

func hasCode(err error, code int) bool {
	status := (*StatusError)(nil)
	return errors.As(err, &status) && status.Code == code
}

// LastOutage is when a request last was ErrUnreachable; zero: never.
func (k *Kubectl) LastOutage() time.Time {
	nanoseconds := k.outage.Load()
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

func (k *Kubectl) unreachable(cause error) error {
	k.outage.Store(time.Now().UnixNano())
	return fmt.Errorf("%w: %w", ErrUnreachable, cause)
}

// Failed is the error of a request, also one of Forward's, that has no whole answer.
func (k *Kubectl) Failed(ctx context.Context, err error) error {
	cannot := (*cannotRunError)(nil)
	switch {
	case errors.As(err, &cannot):
		return cannot
	case k.proxy.ctx.Err() != nil:
		return errClosed
	case errors.Is(ctx.Err(), context.Canceled): // the caller does not want it any more
		return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	if named := (*url.Error)(nil); errors.As(err, &named) {
		err = named.Err // the proxy's URL says nothing
	}
	return k.unreachable(err)
}

// longestAnswer bounds what is read of an answer that is no success.
const longestAnswer = 64 << 10

// refused is the error of an answer that is no success.
func (k *Kubectl) refused(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
	err, ofServer := statusOf(answer.StatusCode, text)
	ofProxy := answer.Header.Get("Audit-Id") == "" // the API server's own have one
	if err.Code == http.StatusUnauthorized || ofProxy && away(err, ofServer) {
		k.proxy.renew()
	}
	if away(err, ofServer) {
		return k.unreachable(err)
	}
	return err
}

// statusOf reads an answer. Most of the API server's are Status objects; kubectl proxy's own, some early ones of the API server
// and those of a load balancer before it are text.
func statusOf(code int, text []byte) (err *StatusError, ofServer bool) {
	var status struct{ Kind, Reason, Message string }
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		return &StatusError{Code: code, Reason: status.Reason, Message: status.Message}, true
	}
	return &StatusError{Code: code, Message: plainMessage(string(text))}, false
}

// plainMessage is what a person wants to know of an answer in plain text: of /readyz, the checks that failed.
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

// ofStorage are the words of the API server's own outages in an "internal error": etcd's.
var ofStorage = regexp.MustCompile(`etcdserver: |rpc error: code = Unavailable`)

// away tells whether the answer means that the API server cannot work now, or was not reached: kubectl proxy says so with a
// plain 500.
func away(err *StatusError, ofServer bool) bool {
	switch err.Code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return !ofServer || ofStorage.MatchString(err.Message)
	}
	return err.Code > http.StatusInternalServerError && !ofServer
}
