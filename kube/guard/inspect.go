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
	longestSecret = 3 << 20   // bytes: the largest request that the API server accepts
	longestObject = 256 << 10 // bytes of an object of another kind: the owner of a longer one is not remembered
	mostKnown     = 4096      // objects that are remembered for one run
)

const unproven = "nothing says that it is the release's: take the lookup out of the chart; a Secret that is the release's has the label app.kubernetes.io/instance=RELEASE"

// checkOwner returns refused if the object at the path belongs to another release, tenant or the operator, and unavailable if the API server does not
// answer. helm reads an object before it writes it, and the owner is remembered from that answer: an ordinary deploy needs no additional request.
func (g *Guard) checkOwner(ctx context.Context, run *guarded, path string, t target) (refused, unavailable error) {
	path = strings.TrimSuffix(path, "/"+t.sub)
	another, known := run.recall(path)
	if !known {
		m, err := g.api.Object(ctx, path)
		status := (*kube.StatusError)(nil)
		if err != nil && !errors.As(err, &status) {
			return nil, err
		}
		_, another = run.belongs(m) // after an error answer, such as 404, m is empty: the request passes, and the API server decides
	}
	if another == "" {
		return nil, nil
	}
	return errors.New(another + ": give the chart's object another name"), nil
}

// recall returns and forgets what is remembered of an object's owner: a moment later the path may lead to another object.
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

// inspect reads an answer about one object if the verdict needs its owner.
func (g *Guard) inspect(response *http.Response) error {
	judged := judgedOf(response.Request)
	path := response.Request.URL.Path
	switch {
	case judged.verdict == passAndRemember && response.StatusCode == http.StatusNotFound:
		judged.run.remember(path, "")
	case judged.verdict == passAndRemember && response.StatusCode == http.StatusOK:
		if m, is := peek(response, longestObject); is {
			_, another := judged.run.belongs(m)
			judged.run.remember(path, another)
		}
	case judged.verdict == passIfOwn && response.StatusCode == http.StatusOK:
		m, is := peek(response, longestSecret)
		own, another := judged.run.belongs(m)
		if is && own {
			return nil
		}
		if another == "" {
			another = strings.ReplaceAll(unproven, "RELEASE", judged.run.Release)
		}
		g.log.Warn("request of a run refused", "release", judged.run.Release, "method", response.Request.Method, "path", path, "reason", another, "next", "the command fails with this reason, and its event too")
		return replaceByRefusal(response, judged.run.refusal(response.Request.Method, judged.target, another))
	}
	return nil
}

// peek returns the metadata of the object in an answer, whose body can still be read from its beginning. false: the body is longer than
// longest, or is no object.
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

// replaceByRefusal replaces an answer by a refusal.
func replaceByRefusal(response *http.Response, message string) error {
	text, err := json.Marshal(status(http.StatusForbidden, "Forbidden", message))
	response.Body.Close()
	response.StatusCode, response.Status = http.StatusForbidden, ""
	response.Header = http.Header{"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(text))}}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return err
}

// protobuf is the content type of the release Secrets that helm writes for itself. helm sends a chart's objects as JSON or YAML, because it does not
// know their types.
const protobuf = "application/vnd.kubernetes.protobuf"

// checkBody checks the object that is to be written, with Scope.Look. The manifest was checked before the deploy began, but helm renders the chart
// again for each command, and a template may then produce something else. This checks what helm really sends, hooks included.
func (r *guarded) checkBody(request *http.Request, t target) error {
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
