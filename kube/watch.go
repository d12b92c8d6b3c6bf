package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// PoolChanges are the functions that WatchPools calls, one at a time. None may be nil.
type PoolChanges struct {
	All     func(PoolKind, []Pool) // all pools of the kind: at the start, and whenever the watch is started again
	Changed func(Pool)             // the pool is new or has changed
	Deleted func(Pool)
}

const (
	// A watch ends after this time and is started again with a new list, which makes up for whatever the watch has missed.
	longestWatch = 10 * time.Minute
	// If a round of list and watch took longer than this, it has worked, and the back-off starts again at its shortest wait.
	goodRound = time.Minute
	lastRetry = 30 * time.Second
	// How long to wait if the resource or the permission is missing: an upgrade of the operator's chart may add it any time.
	noAccessWait = time.Minute
)

// WatchPools watches one kind of pools in a namespace (empty: all) until ctx ends: a list, then a watch, and the same again when the
// watch ends.
func (k *Client) WatchPools(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = lastRetry
	said := access(0)
	for ctx.Err() == nil {
		started := time.Now()
		err := k.listAndWatch(ctx, kind, namespace, changes)
		if time.Since(started) > goodRound {
			waits.Reset()
		}
		wait := min(waits.NextBackOff(), lastRetry) // also without an error: a watch that always ends at once must not make a busy loop
		switch {
		case ctx.Err() != nil:
			return
		case NotFound(err), forbidden(err):
			said, wait = k.sayNoAccess(ctx, kind, err, said), noAccessWait
		case err != nil:
			k.log.Warn("pools not watched", "resource", kind.Resource, "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		default:
			said = 0
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// access is the reason, already logged, why a kind cannot be watched; 0: none was logged.
type access int

const (
	kindMissing access = iota + 1
	notAllowed
)

// sayNoAccess logs why a kind cannot be watched, and only at debug if that was logged before, because it stays so until somebody changes
// the cluster. A kind that the cluster does not have is normal: most clusters have one of the two. In that case, too, the API server
// answers "forbidden" if the operator's role does not list the kind; so lacks asks again.
func (k *Client) sayNoAccess(ctx context.Context, kind PoolKind, err error, said access) access {
	why, level, message := notAllowed, slog.LevelWarn, "pools not watched: the operator's role does not allow it"
	attrs := []any{"resource", kind.Resource}
	if NotFound(err) || k.lacks(ctx, kind) {
		why, level, message = kindMissing, slog.LevelInfo, "pools of this kind not watched: the cluster does not have it"
	} else {
		attrs = append(attrs, "reason", err)
	}
	if why == said {
		level = slog.LevelDebug
	}
	k.log.Log(ctx, level, message, attrs...)
	return why
}

// lacks tells whether the cluster does not have the kind, by a request that everybody may send.
func (k *Client) lacks(ctx context.Context, kind PoolKind) bool {
	_, found, err := k.resource(ctx, Object{APIVersion: kind.APIVersion, Kind: kind.Kind})
	return err == nil && !found
}

func (k *Client) listAndWatch(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) error {
	var all struct {
		Metadata struct{ ResourceVersion string }
		Items    []resource
	}
	if err := k.Do(ctx, http.MethodGet, kind.path(namespace), nil, &all); err != nil {
		return fmt.Errorf("cannot list %s: %w", kind.Resource, err)
	}
	pools := make([]Pool, len(all.Items))
	for i, item := range all.Items {
		pools[i] = item.pool(kind)
	}
	changes.All(kind, pools)
	if err := k.watch(ctx, kind, namespace, all.Metadata.ResourceVersion, changes); err != nil {
		return fmt.Errorf("cannot watch %s: %w", kind.Resource, err)
	}
	return nil
}

// watch reads the changes since version until the stream ends, which is no error: the API server ends it after a while, and something in
// between may end it earlier.
func (k *Client) watch(ctx context.Context, kind PoolKind, namespace, version string, changes PoolChanges) error {
	ctx, cancel := context.WithTimeout(ctx, longestWatch+longestRequest)
	defer cancel()
	query := url.Values{"watch": {"1"}, "resourceVersion": {version}, "timeoutSeconds": {strconv.Itoa(int(longestWatch.Seconds()))}}
	stream, err := k.send(ctx, request{method: http.MethodGet, path: kind.path(namespace) + "?" + query.Encode()})
	if gone(err) {
		return nil // 410 Gone: the version is too old, and a new list is needed
	}
	if err != nil {
		return err
	}
	defer stream.Body.Close()
	return k.readWatch(stream.Body, kind, changes)
}

// readWatch reads watch events, one JSON object after the other.
func (k *Client) readWatch(from io.Reader, kind PoolKind, changes PoolChanges) error {
	decoder := json.NewDecoder(from)
	for {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := decoder.Decode(&event); err != nil {
			return k.streamEnd(kind, err)
		}
		if event.Type == "ERROR" {
			return k.watchError(event.Object)
		}
		var object resource
		if err := json.Unmarshal(event.Object, &object); err != nil {
			return fmt.Errorf("cannot read an event: %w", err)
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			changes.Changed(object.pool(kind))
		case "DELETED":
			changes.Deleted(object.pool(kind))
		}
	}
}

func (k *Client) streamEnd(kind PoolKind, err error) error {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("cannot read an event: %w", err)
	}
	k.log.Debug("watch ended", "resource", kind.Resource, "reason", err)
	return nil
}

// watchError returns the error in an ERROR event.
func (k *Client) watchError(object []byte) error {
	var status struct{ Code int }
	if err := json.Unmarshal(object, &status); err != nil {
		return fmt.Errorf("cannot read an event: %w", err)
	}
	err, ofServer := statusOf(status.Code, object)
	switch {
	case gone(err):
		return nil // 410 Gone: the API server no longer has the changes since the version, and a new list is needed
	case unavailable(err, ofServer):
		return k.unreachable(err)
	}
	return err
}
