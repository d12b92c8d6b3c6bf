package exec

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Redacted is what is shown in the place of a secret.
const Redacted = "[redacted]"

// MinSecret is the length in bytes below which a secret is not redacted, and
// MinSecretLine the same for a single line of a secret that has several.
// Taking out every "a" or every "- x" would shred the output, and tell more
// about the secret than it hides.
const (
	MinSecret     = 4
	MinSecretLine = 8
)

// Redactor takes values that are known to be secret out of text, as they are
// and in the forms that helm, kubectl and shells print them in. It does not
// guess what might be a secret. A Redactor never changes, and may be used by
// several goroutines; a nil one redacts nothing.
type Redactor struct {
	matcher *matcher
}

// NewRedactor returns a Redactor for secrets. Empty and too short ones
// (MinSecret) are ignored.
func NewRedactor(secrets ...string) *Redactor {
	m := newMatcher()
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			m.add(form)
		}
	}
	m.link()
	return &Redactor{matcher: m}
}

// String returns s without the secrets, for text that is at hand as a whole
// (error messages).
func (r *Redactor) String(s string) string {
	if r == nil {
		return s
	}
	var b strings.Builder
	w := r.Writer(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// Writer returns a writer that passes everything on to w except the secrets,
// also those that come in pieces. Each Write passes on all that cannot be the
// beginning of a secret any more; Close passes on the rest, and leaves w open.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	if r == nil {
		return nopCloser{w}
	}
	return &redactWriter{matcher: r.matcher, next: w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// forms returns the texts that give the secret away.
func forms(secret string) []string {
	// Without the line end that files come with: it is not in the output when
	// the value is printed inside a line, and it is none of the secret.
	bare := strings.Trim(secret, "\r\n")
	if len(bare) < MinSecret {
		return nil
	}
	all := slices.Concat(spellings(bare), encodings(bare), insideBase64(bare), lines(bare))
	if bare != secret {
		all = append(all, encodings(secret)...)
	}
	return all
}

// spellings returns s as it is and as it stands between quotes.
func spellings(s string) []string {
	return []string{
		s,
		strings.ReplaceAll(s, "'", "''"),    // YAML
		strings.ReplaceAll(s, "'", `'\''`),  // shell
		strings.ReplaceAll(s, "\n", "\r\n"), // through a terminal
	}
}

// encodings returns s in the forms that keep a line end from being one.
func encodings(s string) []string {
	b := []byte(s)
	goQuoted := strconv.Quote(s) // %q, in many error messages
	return []string{
		base64.StdEncoding.EncodeToString(b),
		base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b),
		base64.RawURLEncoding.EncodeToString(b),
		inJSON(s, true),
		inJSON(s, false),
		goQuoted[1 : len(goQuoted)-1],
		url.QueryEscape(s),
		url.PathEscape(s),
		strings.TrimPrefix(url.UserPassword("", s).String(), ":"), // https://user:secret@host
	}
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

// insideBase64 returns what s looks like in the base64 of a larger text, as
// in a dockerconfigjson: three ways, after the place of s in the groups of
// three bytes. Only the letters that s alone decides are taken.
func insideBase64(s string) []string {
	var all []string
	for before := range 3 {
		text := append(make([]byte, before), s...)
		first, end := (before*8+5)/6, len(text)*8/6
		all = append(all,
			base64.RawStdEncoding.EncodeToString(text)[first:end],
			base64.RawURLEncoding.EncodeToString(text)[first:end])
	}
	return all
}

// lines returns the single lines of a secret that has several: an error
// message shows one of them, or all with another indent.
func lines(secret string) []string {
	if !strings.Contains(secret, "\n") {
		return nil
	}
	var all []string
	for line := range strings.SplitSeq(secret, "\n") {
		line = strings.TrimSpace(line)
		// "-----BEGIN CERTIFICATE-----" is no secret, and in many other texts.
		if len(line) >= MinSecretLine && !strings.HasPrefix(line, "-----") {
			all = append(append(all, spellings(line)...), encodings(line)...)
		}
	}
	return all
}
