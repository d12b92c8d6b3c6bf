package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Source is a chart repository and the credentials for it; they may be empty.
type Source struct{ URL, Username, Password string }

// Key returns a file name (64 hex digits) for what came from the source. more distinguishes several such things. The name does not reveal
// its parts.
func (s Source) Key(more ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{s.URL, s.Username, s.Password}, more...), "\x00")))
	return hex.EncodeToString(sum[:])
}

// Indexes keeps the indexes of repositories in a directory. Its methods may be called by several goroutines.
type Indexes struct {
	dir  string
	http *http.Client

	mu    sync.Mutex
	known map[string]*known // by the source's key
}

// known is a repository that was asked for its index. One request runs at a time; callers that come meanwhile share its answer.
type known struct {
	turn    chan struct{}
	checked time.Time // when the last successful request began
	failed  error     // of the last request, which began at at; nil: it succeeded
	at      time.Time
}

// NewIndexes returns Indexes that keep their files in dir, which must exist. client should keep the rules: see Rules.Guard.
func NewIndexes(dir string, client *http.Client) *Indexes {
	return &Indexes{dir: dir, http: client, known: map[string]*known{}}
}

// NotFoundError says that the repository does not have the chart, or not this version of it.
type NotFoundError struct {
	HasChart bool // the chart is there, but not the version
}

func (e *NotFoundError) Error() string {
	if e.HasChart {
		return "there is no such version of the chart"
	}
	return "there is no such chart"
}

// errUnknown means that the index cannot be fetched or read. The error that wraps it has the reason, in helm's words.
var errUnknown = errors.New("the index cannot be read")

// AnswerError is an answer of a repository other than its index. Its text is helm's.
type AnswerError struct {
	Code            int // HTTP status code
	address, status string
}

func (e *AnswerError) Error() string { return "failed to fetch " + e.address + " : " + e.status }

// Found is a version of a chart in an index.
type Found struct {
	Entry
	// State is different for each version of the index (its ETag and date); "": the repository sends neither.
	State string
	// Exact: the version has exactly the requested name, and was not chosen by a constraint.
	Exact bool
}

// Find looks up a version of a chart (by the rules of choice). It uses the index that it has if the repository has confirmed it at or
// after confirmed, else it asks the repository. Calls for the same repository at the same time share one request.
//
// The error is a *NotFoundError, a *RefusedError or ctx's, wraps ErrTooLarge, or says why the index cannot be fetched or read.
func (x *Indexes) Find(ctx context.Context, from Source, chart, version string, confirmed time.Time) (Found, error) {
	s, err := x.confirm(ctx, from, confirmed)
	if err != nil {
		return Found{}, err
	}
	found := Found{State: s.ETag + s.Modified}
	c, hasChart, err := choose(x.file(from), chart, version)
	switch {
	case err != nil:
		return Found{}, fmt.Errorf("%w: %w", errUnknown, err)
	case !c.ok():
		return found, &NotFoundError{HasChart: hasChart}
	}
	found.Entry, found.Exact = c.found, c.exact
	return found, nil
}

func (x *Indexes) file(from Source) string { return filepath.Join(x.dir, from.Key()+".index") }

// confirm makes sure that the file holds an index that the repository has confirmed at or after a moment.
func (x *Indexes) confirm(ctx context.Context, from Source, after time.Time) (state, error) {
	k := x.of(from)
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return state{}, ctx.Err()
	}
	if !k.checked.Before(after) {
		if s, err := readState(x.file(from)); err == nil {
			return s, nil
		}
	}
	if k.failed != nil && !k.at.Before(after) {
		return state{}, k.failed
	}
	began := time.Now()
	s, err := x.ask(ctx, from)
	if ctx.Err() != nil {
		return state{}, ctx.Err() // not kept in failed: the next caller sends a request of its own
	}
	if k.at, k.failed = began, err; err == nil {
		k.checked = began
	}
	return s, err
}

func (x *Indexes) of(from Source) *known {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := from.Key()
	if x.known[key] == nil {
		x.known[key] = &known{turn: make(chan struct{}, 1)}
	}
	return x.known[key]
}

// Forget drops from memory the repositories that nobody has asked for in the given time. It does not delete files.
func (x *Indexes) Forget(age time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, k := range x.known {
		select {
		case k.turn <- struct{}{}:
			if time.Since(k.checked) > age && time.Since(k.at) > age {
				delete(x.known, key)
			}
			<-k.turn
		default: // a request is running
		}
	}
}

// ask requests the repository's index, conditionally if there is one already.
func (x *Indexes) ask(ctx context.Context, from Source) (state, error) {
	file := x.file(from)
	address, err := Resolve(from.URL, "index.yaml")
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", errUnknown, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return state{}, fmt.Errorf("%w: %w", errUnknown, err)
	}
	from.authorize(request)
	old, err := readState(file)
	if err == nil {
		setHeader(request.Header, "If-None-Match", old.ETag)
		setHeader(request.Header, "If-Modified-Since", old.Modified)
	}
	began := time.Now()
	response, err := x.http.Do(request)
	switch timeout := (*url.Error)(nil); {
	case errors.As(err, &timeout) && timeout.Timeout() && x.http.Timeout > 0 && time.Since(began) >= x.http.Timeout:
		// net/http has several texts for a time-out. This is the one that helm's users know.
		return state{}, fmt.Errorf("%w: Get %q: context deadline exceeded", errUnknown, Shown(address.String()))
	case err != nil:
		return state{}, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotModified && old.known():
		touch(file)
		return old, nil
	case response.StatusCode != http.StatusOK:
		return state{}, fmt.Errorf("%w: %w", errUnknown, &AnswerError{address: Shown(address.String()), status: response.Status, Code: response.StatusCode})
	case response.ContentLength > maxIndex:
		return state{}, errTooLong
	}
	s := state{ETag: response.Header.Get("ETag"), Modified: response.Header.Get("Last-Modified")}
	if len(s.ETag)+len(s.Modified) > maxState {
		s = state{}
	}
	return x.store(ctx, response.Body, s, file)
}

// store downloads an index to a temporary file, because a repository does not wait for a slow reader, and then writes its entries to file.
func (x *Indexes) store(ctx context.Context, body io.Reader, s state, file string) (state, error) {
	download, err := os.CreateTemp(x.dir, "half-*")
	if err != nil {
		return s, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer os.Remove(download.Name())
	defer download.Close()
	n, err := io.Copy(download, io.LimitReader(body, maxIndex+1))
	if err == nil && n > maxIndex {
		return s, errTooLong
	}
	if err == nil {
		_, err = download.Seek(0, io.SeekStart)
	}
	if err == nil {
		s, err = keep(stoppable{ctx, download}, s, file)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("%w: %w", errUnknown, err)
	}
	return s, err
}

// stoppable returns an error once ctx has ended: reading the largest index takes minutes on half a core, and an undeploy must not wait
// for it.
type stoppable struct {
	ctx context.Context
	io.ReadSeeker
}

func (s stoppable) Read(into []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.ReadSeeker.Read(into)
}

func setHeader(header http.Header, name, value string) {
	if value != "" {
		header.Set(name, value)
	}
}

// touch sets a file's time to now, so that it is not removed as unused.
func touch(file string) {
	now := time.Now()
	_ = os.Chtimes(file, now, now) // if this fails, the file may be removed and is fetched again
}
