package guard

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// target is what a request is about, as the API server reads its path. An empty resource: the request is not about objects, but about the
// API itself (/version, /apis/apps/v1).
type target struct {
	group, namespace, resource string
	name                       string // "": all of them
	sub                        string // subresource, such as scale
}

var errPath = errors.New("its path can be read in two ways")

// targetOf parses a path. A path that another program might read differently is an error: names in Kubernetes need no escaping, and helm
// and kubectl never escape.
func targetOf(u *url.URL) (t target, err error) {
	path := u.EscapedPath()
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	odd := func(part string) bool { return part == "" || part == "." || part == ".." }
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "%") || path != "/" && slices.ContainsFunc(parts, odd) {
		return t, errPath
	}
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		t.group, parts = parts[1], parts[3:]
	default:
		return t, nil
	}
	if parts[0] == "watch" || parts[0] == "proxy" {
		return t, errors.New("paths of this kind are no longer in use")
	}
	if parts[0] == "namespaces" && len(parts) > 1 {
		t.namespace = parts[1]
		if len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
			parts = parts[2:]
		}
	}
	t.resource = parts[0]
	if len(parts) > 1 {
		t.name = parts[1]
	}
	if len(parts) > 2 {
		t.sub = parts[2] // more parts may follow, as in the path of a proxy
	}
	return t, nil
}
