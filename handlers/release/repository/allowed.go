package repository

import (
	"net/url"
	"strings"
)

// allows tells whether a repository may be used.
func (r Rules) allows(wanted *url.URL) bool {
	return len(r.Allowed) == 0 || BeginsWithOne(r.Allowed, wanted)
}

// BeginsWithOne tells whether a URL begins with one of the entries: the same scheme, host and port, and whole segments of its path. A URL
// that programs could read in more than one way (.., %2f, a backslash) begins with none. An entry that is no URL allows nothing.
func BeginsWithOne(entries []string, wanted *url.URL) bool {
	path, plain := plainPath(wanted)
	if !plain || wanted.User != nil || wanted.Opaque != "" {
		return false
	}
	for _, entry := range entries {
		begin, err := url.Parse(entry)
		if err != nil || begin.Host == "" || begin.User != nil {
			continue
		}
		prefix, plain := plainPath(begin)
		if plain && origin(begin) == origin(wanted) && strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// origin returns scheme, host and port of a URL, with the scheme's default port if it has none.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[scheme]
		if port == "" {
			port = "443"
		}
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + strings.TrimLeft(port, "0")
}

// plainPath returns a URL's path with one slash at its end; false: some programs might read one of its segments differently.
func plainPath(u *url.URL) (path string, plain bool) {
	for _, odd := range []string{"%2f", "%5c", "%2e", "%25", "%00"} {
		if strings.Contains(strings.ToLower(u.EscapedPath()), odd) {
			return "", false
		}
	}
	path = "/" + strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/") + "/"
	if path == "//" {
		return "/", true
	}
	if strings.ContainsAny(path, `\;`) { // some servers ignore what follows a semicolon in a segment
		return "", false
	}
	for segment := range strings.SplitSeq(path[1:len(path)-1], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", false
		}
	}
	return path, true
}
