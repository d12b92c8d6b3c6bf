package exec

import (
	"errors"
	"index/suffixarray"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Values removes secrets that are often ordinary words, such as the values in a chart's Secrets ("postgres", "true"). A Redactor would remove such a
// word from every text. What Values removes depends on the length of the secret, in each of the forms that a Redactor knows:
//
//	from 9 bytes on   removed wherever it stands
//	from 4 bytes on   removed as a word of its own: "postgres" in "host=postgres", not in "postgresql"
//	shorter           removed if it is the whole value
//
// A secret of 9 bytes or more that is part of a name stays, such as the name of the database's Service in a Secret with its address: everybody knows the
// name, and without it nobody would know what a text is about.
//
// A boolean, such as "true" or "0", stays: if only one of the two were hidden, everybody could tell which. Values do not change, so several
// goroutines may use them. Nil removes nothing.
type Values struct {
	anywhere *Redactor
	words    map[string]struct{}
	lengths  []int               // of the words, longest first
	whole    map[string]struct{} // of any length
}

// shortestAnywhere is the length in bytes from which a secret is removed wherever it stands.
const shortestAnywhere = 9

// ErrTooManySecrets means that the secrets would take too much memory; a Redactor for them would be Full.
var ErrTooManySecrets = errors.New("the secrets are too many or too long for all of them to be kept out")

// NewValues returns the Values for secrets. names are what everybody may know, such as the names of objects. The error is ErrTooManySecrets.
func NewValues(names []string, secrets ...string) (*Values, error) {
	known := suffixarray.New([]byte(strings.Join(names, "\n"))) // both may be thousands
	v := &Values{words: map[string]struct{}{}, whole: map[string]struct{}{}}
	size, m, lengths := 0, newMatcher(), map[int]bool{}
	for _, secret := range secrets {
		if size += len(secret); size > maxSecrets {
			return nil, ErrTooManySecrets
		}
		for form, whole := range valueForms(secret) {
			if len(form) >= shortestAnywhere && len(known.Lookup([]byte(form), 1)) > 0 {
				continue
			}
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

// valueForms yields the forms of a secret: first those of the whole secret, with true; then all that forms yields, with false, because they may be
// parts (a line, a piece of its base64).
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
		for form := range forms(secret) { // also parts of it
			if !yield(form, false) {
				return
			}
		}
	}
}

// Text returns any text without the secrets of at least shortestAnywhere bytes.
func (v *Values) Text(s string) string { return v.TextWith(nil, s) }

// TextWith is Text, and removes the secrets of r too; r may be nil.
func (v *Values) TextWith(r *Redactor, s string) string {
	if v == nil {
		return r.String(s)
	}
	return withoutBoth(r, v.anywhere, s)
}

// ValueWith returns the value of a field, or one line of it, without the secrets, by all three rules, and without those of r; r may be nil.
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

// wordAt returns the length of the longest secret that begins at s[at] and is a word of its own; 0: there is none.
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

// edge tells whether a word may begin or end before s[at]: letters and digits on both sides belong to one word.
func edge(s string, at int) bool {
	return at == 0 || at == len(s) || !inWord(s[at-1]) || !inWord(s[at])
}

func inWord(c byte) bool {
	return c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
