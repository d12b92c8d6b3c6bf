package repository

import (
	"net/url"
	"strings"
)

// allows tells whether a repository may be asked.
func (r Rules) allows(wanted *url.URL) bool {
	return len(r.Allowed) == 0 || BeginsWithOne(r.Allowed, wanted)
}

// BeginsWithOne tells whether a list has what a URL begins with: the same scheme, host and port, and whole segments of its path. What
// could be read in more than one way (.., %2f, a backslash) is in no list, so that a server cannot read it in the other way. An entry
// that is no URL allows nothing.
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

// origin is scheme, host and port, with the scheme's own port where there is none.
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

// plainPath is a URL's path with one slash at its end; false: it has segments that somebody might take for others.
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
	if strings.ContainsAny(path, `\;`) { // some servers cut a segment at a semicolon
		return "", false
	}
	for segment := range strings.SplitSeq(path[1:len(path)-1], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", false
		}
	}
	return path, true
}
