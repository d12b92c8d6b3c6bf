package exec

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redacted is what is shown in the place of a secret.
const Redacted = "[redacted]"

// minSecret is the length in bytes below which a secret is not redacted, and
// minSecretLine the same for a single line of a secret that has several.
// Taking out every "a" or every "- x" would shred the output, and tell more
// about the secret than it hides.
const (
	minSecret     = 4
	minSecretLine = 8
)

// maxSecrets is how many bytes of secrets a Redactor knows: twice what a Kubernetes Secret may hold. One secret of 4 MiB took 2 GiB before
// there was a limit.
const maxSecrets = 2 << 20

// Redactor takes values that are known to be secret out of text, as they are
// and in the forms that helm, kubectl and shells print them in. It does not
// guess what might be a secret. A Redactor never changes, and may be used by
// several goroutines; a nil one redacts nothing.
type Redactor struct {
	matcher *matcher
	full    bool
}

// NewRedactor returns a Redactor for secrets. Empty and too short ones (minSecret) are ignored. Of more than maxSecrets, or of so many
// lines that it takes more than some 30 MiB to know them all, it is Full.
func NewRedactor(secrets ...string) *Redactor {
	size := 0
	for _, secret := range secrets {
		if size += len(secret); size > maxSecrets {
			return &Redactor{full: true}
		}
	}
	m := newMatcher()
	for _, secret := range secrets {
		for form := range forms(secret) {
			if m.add(form); m.full() {
				return &Redactor{full: true}
			}
		}
	}
	m.link()
	return &Redactor{matcher: m}
}

// Full tells that the secrets were too many to know. A full Redactor shows nothing of any text: Redacted stands for all of it.
func (r *Redactor) Full() bool { return r != nil && r.full }

// String returns s without the secrets, for text that is at hand as a whole
// (error messages).
func (r *Redactor) String(s string) string {
	if r == nil {
		return s
	}
	var b strings.Builder
	w := r.writer(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// writer returns a writer that passes everything on to w except the secrets,
// also those that come in pieces. Each Write passes on all that cannot be the
// beginning of a secret any more; Close passes on the rest, and leaves w open.
func (r *Redactor) writer(w io.Writer) io.WriteCloser {
	switch {
	case r == nil:
		return nopCloser{w}
	case r.full:
		return &hideAll{next: w}
	}
	return &redactWriter{matcher: r.matcher, next: w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// hideAll shows that there was something, once.
type hideAll struct {
	next io.Writer
	told bool
}

func (h *hideAll) Write(p []byte) (int, error) {
	if h.told || len(p) == 0 {
		return len(p), nil
	}
	h.told = true
	_, err := io.WriteString(h.next, Redacted)
	return len(p), err
}

func (h *hideAll) Close() error { return nil }

// forms yields the texts that give the secret away, one at a time: of a large one each is a MiB and more.
func forms(secret string) iter.Seq[string] {
	return func(yield func(string) bool) {
		// Without the line end that files come with: it is not in the output when
		// the value is printed inside a line, and it is none of the secret.
		bare := strings.Trim(secret, "\r\n")
		if len(bare) < minSecret {
			return
		}
		ways := slices.Concat(spellings, encodings, insideBase64)
		if bare != secret {
			for _, way := range encodings {
				ways = append(ways, func(string) string { return way(secret) })
			}
		}
		for _, way := range ways {
			if !yield(way(bare)) {
				return
			}
		}
		lines(bare, yield)
	}
}

// way is one to write a secret.
type way = func(string) string

// spellings are s as it is and as it stands between quotes.
var spellings = []way{
	func(s string) string { return s },
	func(s string) string { return strings.ReplaceAll(s, "'", "''") },    // YAML
	func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) },  // shell
	func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, // through a terminal
}

// encodings are s in the forms that keep a line end from being one.
var encodings = []way{
	func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	func(s string) string { return inJSON(s, true) },
	func(s string) string { return inJSON(s, false) },
	func(s string) string { quoted := strconv.Quote(s); return quoted[1 : len(quoted)-1] }, // %q, in many error messages
	url.QueryEscape,
	url.PathEscape,
	func(s string) string { return strings.TrimPrefix(url.UserPassword("", s).String(), ":") }, // https://user:secret@host
}

// inJSON returns s as within a JSON string. Go escapes <, > and & on top
// of what JSON asks for unless told otherwise, so both occur.
func inJSON(s string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	enc.Encode(s) // a string never fails
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// insideBase64 are what s looks like in the base64 of a larger text, as
// in a dockerconfigjson: three ways, after the place of s in the groups of
// three bytes. Only the letters that s alone decides are taken.
var insideBase64 = []way{
	insideOf(base64.RawStdEncoding, 0), insideOf(base64.RawURLEncoding, 0),
	insideOf(base64.RawStdEncoding, 1), insideOf(base64.RawURLEncoding, 1),
	insideOf(base64.RawStdEncoding, 2), insideOf(base64.RawURLEncoding, 2),
}

func insideOf(encoding *base64.Encoding, before int) way {
	return func(s string) string {
		text := append(make([]byte, before), s...)
		first, end := (before*8+5)/6, len(text)*8/6
		return encoding.EncodeToString(text)[first:end]
	}
}

// manyLines is the length in bytes from which on the lines of a secret are taken as they are alone: a bundle of certificates has thousands.
const manyLines = 16 << 10

// lines yields the single lines of a secret that has several: an error
// message shows one of them, or all with another indent.
func lines(secret string, yield func(string) bool) {
	if !strings.Contains(secret, "\n") {
		return
	}
	ways := slices.Concat(spellings, encodings)
	if len(secret) >= manyLines {
		ways = spellings
	}
	for line := range strings.SplitSeq(secret, "\n") {
		line = strings.TrimSpace(line)
		// "-----BEGIN CERTIFICATE-----" is no secret, and in many other texts.
		if len(line) < minSecretLine || strings.HasPrefix(line, "-----") {
			continue
		}
		for _, way := range ways {
			if !yield(way(line)) {
				return
			}
		}
	}
}
