package config

import (
	"fmt"
	"strings"
)

// Setting describes one environment variable.
type Setting struct {
	// Name is in upper case. In the name of a list n stands for the number of the entry, KEYID for the id of a key.
	Name    string
	Aliases []string // other names, used if Name is not set
	Default string   // as text; empty: none
	Meaning string   // one line of Markdown; for an ignored setting the reason
	Whose   Whose
	Secret  bool // the value is never printed
	// Decides: the setting says what is deployed, where, or whom the operator trusts. If its value cannot be read, the operator does not
	// connect; for any other setting the default is used.
	Decides bool

	parse func(text string) error // reads a single value; changes nothing if it fails
	each  func(environment) error // reads a list; parse and each both nil: the setting is ignored
}

// Whose says who defined a setting.
type Whose int

// Who defined a setting, and whether it has an effect.
const (
	Reference Whose = iota // of the reference operator, with the same effect here
	Own                    // of this operator alone
	Ignored                // of the reference operator or its chart, without an effect here
)

func (s Setting) ignored() bool { return s.parse == nil && s.each == nil }

// is tells whether the variable name (in upper case) sets s.
func (s Setting) is(name string) bool {
	for _, known := range append([]string{s.Name}, s.Aliases...) {
		if matches(known, name) {
			return true
		}
	}
	return false
}

// useDefault sets the default and returns the end of the warning about an unreadable value.
func (s Setting) useDefault() string {
	if s.Default == "" {
		return "it is taken as not set"
	}
	_ = s.parse(s.Default) // cannot fail: a test parses every default
	return fmt.Sprintf("the default %s is used", s.Default)
}

// Settings returns every setting, in the order of the README.
func Settings() []Setting { return table(&Config{}) }

// Find returns the setting, read or ignored, that the variable name sets; false if there is none. Upper and lower case are the same.
func Find(name string) (Setting, bool) {
	name = strings.ToUpper(name)
	for _, s := range Settings() {
		if s.is(name) {
			return s, true
		}
	}
	return Setting{}, false
}

// placeholders are the parts of a list setting's name that stand for a number or a key id.
var placeholders = []string{"__n", "__KEYID"}

// splitPattern returns the parts of a name before and after its placeholder. A name without one is returned as before.
func splitPattern(pattern string) (before, after string) {
	for _, p := range placeholders {
		if b, a, found := strings.Cut(pattern, p); found {
			return b + "__", a
		}
	}
	return pattern, ""
}

func matches(pattern, name string) bool {
	before, after := splitPattern(pattern)
	if before == pattern {
		return name == pattern
	}
	if len(name) <= len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
		return false
	}
	return !strings.Contains(name[len(before):len(name)-len(after)], "__")
}
