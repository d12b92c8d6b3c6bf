package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"octo-operator/bounds"
	"octo-operator/kube"
)

const (
	longestSecret = 3 << 20   // what the API server takes at most
	longestObject = 256 << 10 // of another kind: of a longer one is not learnt whose it is
	mostKnown     = 4096
)

const unproven = "nothing says that it is the release's: take the lookup out of the chart; a Secret that is the release's has the label app.kubernetes.io/instance=RELEASE"

// lookAt finds out whether the object at a path may be written: it is none that another release has. What helm has read just before is
// known, so that an ordinary deploy asks nothing more.
func (g *Guard) lookAt(ctx context.Context, run *guarded, path string, t target) (refused, away error) {
	path = strings.TrimSuffix(path, "/"+t.sub)
	another, known := run.recall(path)
	if !known {
		m, err := g.api.Object(ctx, path)
		status := (*kube.StatusError)(nil)
		if err != nil && !errors.As(err, &status) {
			return nil, err
		}
		_, another = run.belongs(m) // an object that cannot be seen the API server judges alone
	}
	if another == "" {
		return nil, nil
	}
	return errors.New(another + ": give the chart's object another name"), nil
}

// recall is what was learnt of an object. It counts once: a moment later the object may be another one.
func (r *guarded) recall(path string) (another string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	another, known = r.known[path]
	delete(r.known, path)
	return another, known
}

func (r *guarded) remember(path, another string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) < mostKnown {
		r.known[path] = another
	}
}

// inspect reads an answer about one object, if it matters whose that is.
func (g *Guard) inspect(response *http.Response) error {
	asked := askedOf(response.Request)
	path := response.Request.URL.Path
	switch {
	case asked.step == learn && response.StatusCode == http.StatusNotFound:
		asked.run.remember(path, "")
	case asked.step == learn && response.StatusCode == http.StatusOK:
		if m, is := peek(response, longestObject); is {
			_, another := asked.run.belongs(m)
			asked.run.remember(path, another)
		}
	case asked.step == reveal && response.StatusCode == http.StatusOK:
		m, is := peek(response, longestSecret)
		own, another := asked.run.belongs(m)
		if is && own {
			return nil
		}
		if another == "" {
			another = strings.ReplaceAll(unproven, "RELEASE", asked.run.Release)
		}
		g.log.Warn("request of a run refused", "release", asked.run.Release, "method", response.Request.Method, "path", path, "reason", another)
		return hold(response, asked.run.refusal(response.Request.Method, asked.target, another))
	}
	return nil
}

// peek reads the metadata of the object in an answer, which stays as it is. false: it is too long, or no object.
func peek(response *http.Response, longest int64) (m kube.Metadata, is bool) {
	text, err := io.ReadAll(io.LimitReader(response.Body, longest+1))
	rest := io.Reader(response.Body)
	if err != nil {
		rest = failing{err}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), rest), response.Body}
	var object struct{ Metadata kube.Metadata }
	is = err == nil && int64(len(text)) <= longest && json.Unmarshal(text, &object) == nil && object.Metadata.Name != ""
	return object.Metadata, is
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// hold puts a refusal in the place of an answer.
func hold(response *http.Response, message string) error {
	text, err := json.Marshal(status(http.StatusForbidden, "Forbidden", message))
	response.Body.Close()
	response.StatusCode, response.Status = http.StatusForbidden, ""
	response.Header = http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(text))}}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return err
}

// protobuf is how helm sends a new record of its own. What a chart makes it sends as JSON or YAML: it does not know the kinds.
const protobuf = "application/vnd.kubernetes.protobuf"

// lookAtBody looks at what is to be written. helm renders a chart again for each of its commands, perhaps something else than what was
// looked at before: here is what it really sends, hooks and all, once.
func (r *guarded) lookAtBody(request *http.Request, t target) error {
	if request.Method == http.MethodDelete || request.Body == nil || request.Method == http.MethodGet || request.Method == http.MethodHead {
		return nil
	}
	kind := request.Header.Get("Content-Type")
	if kind == protobuf && t.name == "" && t.resource == "secrets" {
		return nil
	}
	if !strings.Contains(kind, "json") && !strings.Contains(kind, "yaml") || request.Header.Get("Content-Encoding") != "" {
		return fmt.Errorf("it is sent as %q, which nobody can look at", kind)
	}
	text, err := bounds.ReadAll(request.Body, bounds.Manifest)
	request.Body.Close()
	if err != nil {
		return fmt.Errorf("cannot read it: %w", err)
	}
	request.Body = io.NopCloser(bytes.NewReader(text))
	return r.Look(text)
}
