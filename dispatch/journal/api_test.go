package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"octo-operator/kube"
)

// fakeAPI has the API server's rules about resource versions, as far as the journal relies on them. The journal is tested
// with a real one in e2e.
type fakeAPI struct {
	mu      sync.Mutex
	objects map[string]map[string]any // by path
	cached  map[string]map[string]any // the result of a list with resourceVersion=0; nil: the objects
	version int
	fail    error // of every request
	refuse  func(method, path string) error
	takes   time.Duration // each request
	writes  []string      // method and path
}

func (f *fakeAPI) Do(ctx context.Context, method, path string, body, into any) error {
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	if f.refuse != nil {
		if err := f.refuse(method, path); err != nil {
			return err
		}
	}
	if patch, ok := body.(kube.Patch); ok {
		body = patch.Object
	}
	var object map[string]any
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
	}
	if method == "POST" {
		path += "/" + meta(object)["name"].(string)
	}
	if method != "GET" {
		f.writes = append(f.writes, method+" "+path[strings.LastIndex(path, "/")+1:])
	}
	answer, err := f.answer(method, path, object)
	if err != nil || into == nil {
		return err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func meta(object map[string]any) map[string]any { return object["metadata"].(map[string]any) }

func (f *fakeAPI) answer(method, path string, object map[string]any) (map[string]any, error) {
	old := f.objects[path]
	switch {
	case method == "POST" && old != nil:
		return nil, &kube.StatusError{Code: 409, Reason: "AlreadyExists"}
	case method != "POST" && old == nil:
		return nil, &kube.StatusError{Code: 404, Reason: "NotFound"}
	case method == "GET":
		return old, nil
	}
	wanted := ""
	if method == "DELETE" {
		if conditions, ok := object["preconditions"].(map[string]any); ok {
			wanted, _ = conditions["resourceVersion"].(string)
		}
	} else {
		wanted, _ = meta(object)["resourceVersion"].(string)
	}
	if old != nil && wanted != "" && wanted != meta(old)["resourceVersion"] {
		return nil, &kube.StatusError{Code: 409, Reason: "Conflict"}
	}
	if method == "DELETE" {
		delete(f.objects, path)
		return nil, nil
	}
	if method == "PATCH" { // merges as far as the journal needs it: whole sections, except the metadata
		object["metadata"] = meta(old)
	}
	f.version++
	object["metadata"] = maps.Clone(meta(object))
	meta(object)["resourceVersion"] = fmt.Sprint(f.version)
	f.objects[path] = object
	return object, nil
}

func (f *fakeAPI) Metadata(_ context.Context, path string) (all []kube.Metadata, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		if err := f.refuse("GET", path); err != nil {
			return nil, err
		}
	}
	path, text, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	objects := f.objects
	if query.Get("resourceVersion") == "0" && f.cached != nil {
		objects = f.cached
	}
	for at, object := range objects {
		labels, _ := meta(object)["labels"].(map[string]any)
		if strings.HasPrefix(at, path+"/") && (!strings.HasSuffix(query.Get("labelSelector"), ","+waitingLabel) || labels[waitingLabel] != nil) {
			text, _ := json.Marshal(meta(object))
			var m kube.Metadata
			if err := json.Unmarshal(text, &m); err != nil {
				return nil, err
			}
			all = append(all, m)
		}
	}
	return all, f.fail
}

func (f *fakeAPI) set(fail error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// secrets returns the journal's Secrets, with the keys of each.
func (f *fakeAPI) secrets() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for path, object := range f.objects {
		if !strings.Contains(path, "/secrets/") {
			continue
		}
		data, _ := object["data"].(map[string]any)
		for key := range maps.Keys(data) {
			all = append(all, key)
		}
	}
	return all
}
