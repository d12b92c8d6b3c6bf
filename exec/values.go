package exec

import (
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Values takes secrets out of the values of a document that are often ordinary words, as those of a chart's Secrets are ("postgres", "true"). A
// Redactor would take these out of everything. So it matters how long a secret is, in each of the forms that a Redactor knows:
//
//	from 9 bytes on   it is taken out wherever it stands
//	from 4 bytes on   where it stands as a word of its own: "postgres" in "host=postgres", not in "postgresql"
//	shorter           where it is the whole value
//
// A switch, such as "true" or "0", stays: to hide it would tell which of two it is. Values do not change, so several goroutines may use them. Nil
// takes nothing out.
type Values struct {
	anywhere *Redactor
	words    map[string]struct{}
	lengths  []int               // of the words, longest first
	whole    map[string]struct{} // of any length
}

// shortestAnywhere is in bytes.
const shortestAnywhere = 9

// ErrTooManySecrets says that secrets take more memory than may be spent on them, as a Redactor says by being Full.
var ErrTooManySecrets = errors.New("the secrets are too many or too long for all of them to be kept out")

// NewValues returns the Values for secrets. The error is ErrTooManySecrets.
func NewValues(secrets ...string) (*Values, error) {
	v := &Values{words: map[string]struct{}{}, whole: map[string]struct{}{}}
	size, m, lengths := 0, newMatcher(), map[int]bool{}
	for _, secret := range secrets {
		if size += len(secret); size > maxSecrets {
			return nil, ErrTooManySecrets
		}
		for form, whole := range valueForms(secret) {
			switch {
			case len(form) >= shortestAnywhere:
				m.add(form)
			case len(form) >= minSecret && whole:
				v.words[form], lengths[len(form)] = struct{}{}, true
			}
			if whole && len(form) < longText {
				v.whole[form] = struct{}{}
			}
			if m.full() || len(v.whole) > maxNodes/8 {
				return nil, ErrTooManySecrets
			}
		}
	}
	m.link()
	v.anywhere = &Redactor{matcher: m}
	for length := range lengths {
		v.lengths = append(v.lengths, length)
	}
	slices.Sort(v.lengths)
	slices.Reverse(v.lengths)
	return v, nil
}

// valueForms yields the texts by which a secret could be recognized, and whether they are all of it: not a line of several, nor a part of its base64.
func valueForms(secret string) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		bare := strings.TrimSpace(secret)
		if _, err := strconv.ParseBool(bare); err == nil || bare == "" {
			return
		}
		for _, way := range slices.Concat(spellings, encodings) {
			if !yield(way(bare), true) || bare != secret && !yield(way(secret), true) {
				return
			}
		}
		for form := range forms(secret) { // with those that are parts of it
			if !yield(form, false) {
				return
			}
		}
	}
}

// Text returns any text without the secrets of at least shortestAnywhere bytes.
func (v *Values) Text(s string) string { return v.TextWith(nil, s) }

// Value returns the value of a field, or one line of it, without the secrets, by all three rules.
func (v *Values) Value(s string) string { return v.ValueWith(nil, s) }

// TextWith is Text, and removes what r does too.
func (v *Values) TextWith(r *Redactor, s string) string {
	if v == nil {
		return r.String(s)
	}
	return withoutBoth(r, v.anywhere, s)
}

// ValueWith is Value, and removes what r does too.
func (v *Values) ValueWith(r *Redactor, s string) string {
	if v == nil {
		return r.String(s)
	}
	if _, is := v.whole[strings.TrimSpace(s)]; is {
		return Redacted
	}
	return v.withoutWords(withoutBoth(r, v.anywhere, s))
}

// withoutWords removes the words of a text that are secrets.
func (v *Values) withoutWords(s string) string {
	if len(v.lengths) == 0 {
		return s
	}
	var b strings.Builder
	done := 0
	for at := 0; at < len(s); at++ {
		if length := v.wordAt(s, at); length > 0 {
			b.WriteString(s[done:at] + Redacted)
			at += length - 1
			done = at + 1
		}
	}
	return b.String() + s[done:]
}

// wordAt is the length of the longest secret that stands at a place of a text as a word of its own; 0: none does.
func (v *Values) wordAt(s string, at int) int {
	if !edge(s, at) {
		return 0
	}
	for _, length := range v.lengths {
		if at+length > len(s) || !edge(s, at+length) {
			continue
		}
		if _, is := v.words[s[at:at+length]]; is {
			return length
		}
	}
	return 0
}

// edge tells whether a word may begin or end before the byte at a place: letters and digits on both sides belong to one word.
func edge(s string, at int) bool {
	return at == 0 || at == len(s) || !inWord(s[at-1]) || !inWord(s[at])
}

func inWord(c byte) bool {
	return c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
