package config

import (
	"fmt"
	"strings"
)

// setting describes one environment variable.
type setting struct {
	// Name is in upper case. In the name of a list n stands for the number of the entry, KEYID for the id of a key.
	Name    string
	Aliases []string // other names, used if Name is not set
	Default string   // as text; empty: none
	Meaning string   // one line of Markdown; for an ignored setting the reason
	Secret  bool     // the value is never printed
	// Decides: the setting says what is deployed, where, or whom the operator trusts. If its value cannot be read, the operator does not
	// connect; for any other setting the default is used.
	Decides bool

	parse func(text string) error // reads a single value; changes nothing if it fails
	each  func(environment) error // reads a list; parse and each both nil: the setting is ignored
}

func (s setting) ignored() bool { return s.parse == nil && s.each == nil }

// is tells whether the variable name (in upper case) sets s.
func (s setting) is(name string) bool {
	for _, known := range append([]string{s.Name}, s.Aliases...) {
		if matches(known, name) {
			return true
		}
	}
	return false
}

// useDefault sets the default and returns the end of the warning about an unreadable value.
func (s setting) useDefault() string {
	if s.Default == "" {
		return "it is taken as not set"
	}
	_ = s.parse(s.Default) // cannot fail: a test parses every default
	return fmt.Sprintf("the default %s is used", s.Default)
}

// find returns the setting, read or ignored, that the variable name sets; false if there is none. Upper and lower case are the same.
func find(name string) (setting, bool) {
	name = strings.ToUpper(name)
	for _, s := range table(&Config{}) {
		if s.is(name) {
			return s, true
		}
	}
	return setting{}, false
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
