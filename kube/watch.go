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

// PoolChanges is told what a watch finds.
type PoolChanges struct {
	All     func(PoolKind, []Pool) // everything there is, at the start and now and then
	Changed func(Pool)             // new or changed
	Deleted func(Pool)
}

const (
	// A watch that is older than this ends, and is started anew with a fresh list: whatever was missed is then made good.
	longestWatch = 10 * time.Minute
	// A round of list and watch that took longer than this has worked: the next trouble is a new one.
	goodRound = time.Minute
	lastRetry = 30 * time.Second
	// An upgrade of the operator's chart may bring the resource, or the permission, any time.
	noAccessWait = time.Minute
)

// WatchPools watches one kind of pools in a namespace (empty: all) until ctx ends: a list, then a watch, and again when
// the watch ends.
func (k *Kubectl) WatchPools(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = lastRetry
	said := access(0)
	for ctx.Err() == nil {
		started := time.Now()
		err := k.listAndWatch(ctx, kind, namespace, changes)
		if time.Since(started) > goodRound {
			waits.Reset()
		}
		wait := min(waits.NextBackOff(), lastRetry) // after a watch that has ended, too: one that always ends at once must not spin
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

// access is why a kind cannot be watched, as far as it was said. 0: it can be.
type access int

const (
	kindMissing access = iota + 1
	notAllowed
)

// sayNoAccess says why a kind cannot be watched, unless that was said before: it stays so until somebody changes the cluster. A kind
// that the cluster does not have is no trouble, most clusters have one of the two; but the API server calls it forbidden where the
// role does not have it either.
func (k *Kubectl) sayNoAccess(ctx context.Context, kind PoolKind, err error, said access) access {
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

// lacks tells whether the cluster has no such kind. Everybody may ask that.
func (k *Kubectl) lacks(ctx context.Context, kind PoolKind) bool {
	_, found, err := k.resource(ctx, Object{APIVersion: kind.APIVersion, Kind: kind.Kind})
	return err == nil && !found
}

func (k *Kubectl) listAndWatch(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) error {
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

// watch reads the changes since version until the stream ends, which is no error: the API server ends it in time, and somebody
// between may end it earlier.
func (k *Kubectl) watch(ctx context.Context, kind PoolKind, namespace, version string, changes PoolChanges) error {
	ctx, cancel := context.WithTimeout(ctx, longestWatch+longestRequest)
	defer cancel()
	query := url.Values{"watch": {"1"}, "resourceVersion": {version}, "timeoutSeconds": {strconv.Itoa(int(longestWatch.Seconds()))}}
	stream, err := k.send(ctx, request{method: http.MethodGet, path: kind.path(namespace) + "?" + query.Encode()})
	if gone(err) {
		return nil // the list is too old already
	}
	if err != nil {
		return err
	}
	defer stream.Body.Close()
	return k.readWatch(stream.Body, kind, changes)
}

// readWatch reads events, one JSON object after the other.
func (k *Kubectl) readWatch(from io.Reader, kind PoolKind, changes PoolChanges) error {
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

func (k *Kubectl) streamEnd(kind PoolKind, err error) error {
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("cannot read an event: %w", err)
	}
	k.log.Debug("watch ended", "resource", kind.Resource, "reason", err)
	return nil
}

// watchError reads the object of an ERROR event.
func (k *Kubectl) watchError(object []byte) error {
	var status struct{ Code int }
	if err := json.Unmarshal(object, &status); err != nil {
		return fmt.Errorf("cannot read an event: %w", err)
	}
	err, ofServer := statusOf(status.Code, object)
	switch {
	case gone(err):
		return nil // the API server has forgotten what came after the version: a fresh list knows it
	case away(err, ofServer):
		return k.unreachable(err)
	}
	return err
}
