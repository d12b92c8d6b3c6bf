package exec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redacted stands in the output in place of a secret.
const Redacted = "[redacted]"

// minSecret is the length in bytes below which a secret is not redacted; minSecretLine is the same for one line of a secret with several
// lines. To replace every "a" or "- x" would make the output unreadable, and reveal more about the secret than it hides.
const (
	minSecret     = 4
	minSecretLine = 8
)

// maxSecrets is how many bytes of secrets a Redactor can know: twice what a Kubernetes Secret may hold. Before there was a limit, one
// secret of 4 MiB took 2 GiB.
const maxSecrets = 2 << 20

// Redactor replaces known secrets in text: as they are, and in the forms in which helm, kubectl and shells print them. It does not guess
// what might be a secret. A Redactor does not change, so several goroutines may use it. A nil Redactor replaces nothing.
type Redactor struct {
	matcher *matcher
	full    bool
}

// NewRedactor returns a Redactor for secrets. Those shorter than minSecret are ignored. If there are more than maxSecrets bytes, or so
// many lines that knowing them takes more than some 30 MiB, it is Full.
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

// Full tells that there were too many secrets to know them all. A full Redactor then replaces every text as a whole by Redacted.
func (r *Redactor) Full() bool { return r != nil && r.full }

// String returns s without the secrets. It is for short texts, such as error messages.
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

// withoutBoth returns s without the secrets of both Redactors. They look at the same text: if one came after the other, the first might remove a
// part of a secret that only the second knows, which would then leave the rest.
func withoutBoth(one, other *Redactor, s string) string {
	if one == nil || one.full || other == nil || other.full {
		return one.String(other.String(s))
	}
	hide := one.masked(s)
	for i, b := range other.masked(s) {
		if b == mask {
			hide[i] = mask
		}
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		if hide[i] != mask {
			b.WriteByte(s[i])
		} else if i == 0 || hide[i-1] != mask {
			b.WriteString(Redacted)
		}
	}
	return b.String()
}

// mask stands for each byte of a secret in what masked returns. No UTF-8 text has this byte.
const mask = 0xff

// pieceSize is in bytes: masked writes a text in pieces, because a Write copies all that it gets.
const pieceSize = 32 << 10

// masked returns s, with mask in place of each byte of the secrets; so it has the length of s.
func (r *Redactor) masked(s string) []byte {
	to := bytes.NewBuffer(make([]byte, 0, len(s)))
	w := &redactWriter{matcher: r.matcher, next: to, masks: true}
	for len(s) > 0 {
		n := min(len(s), pieceSize)
		io.WriteString(w, s[:n])
		s = s[n:]
	}
	w.Close()
	return to.Bytes()
}

// writer returns a writer that passes everything on to w except for the secrets, also if a secret comes in several writes. Bytes that may
// be the beginning of a secret are held back; Close passes on the rest, and does not close w.
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

// hideAll writes Redacted once, in place of everything.
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

// forms yields the texts by which a secret could be recognized. They are yielded one at a time, because each form of a large secret takes
// a MiB and more.
func forms(secret string) iter.Seq[string] {
	return func(yield func(string) bool) {
		// Without the line end that files have: it is no part of the secret, and is missing where the value is printed inside a line.
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

// way is one way to write a secret.
type way = func(string) string

// spellings are the secret as it is, and as it is written between quotes.
var spellings = []way{
	func(s string) string { return s },
	func(s string) string { return strings.ReplaceAll(s, "'", "''") },    // YAML
	func(s string) string { return strings.ReplaceAll(s, "'", `'\''`) },  // shell
	func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }, // through a terminal
}

// encodings are forms in which a line end in the secret is encoded.
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

// inJSON returns s as inside a JSON string. Go by default also escapes <, > and &, so both forms occur.
func inJSON(s string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	enc.Encode(s) // a string never fails
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// insideBase64 are the three forms that s has inside the base64 of a larger text, such as a dockerconfigjson: base64 encodes groups of
// three bytes, and s may begin at any byte of a group. Only characters that depend on s alone are used.
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

// manyLines is in bytes: the lines of a secret of this size or more are looked for only as they are, because a bundle of certificates has
// thousands.
const manyLines = 16 << 10

// lines yields the lines of a secret that has several: an error message may show one of them, or all with another indentation.
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
		// "-----BEGIN CERTIFICATE-----" is no secret, and occurs in many other texts.
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
