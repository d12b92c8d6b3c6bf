package merge

import (
	"regexp"
	"regexp/syntax"
)

// match tells whether a name matches a pattern of a schema.
type match int

const (
	notMatched match = iota
	matched
	notDecidable // Go cannot compile the pattern, or it is too large to try
)

type patternOfName struct{ pattern, name string }

// matches tries a pattern on a name and caches the answer. It does not cache compiled patterns: a few characters can compile to some MiB.
func (s *schema) matches(pattern, name string) match {
	key := patternOfName{pattern, name}
	m, ok := s.known[key]
	if ok {
		s.step(1)
	} else if s.step(50 + len(pattern)) {
		m = s.try(pattern, name)
		s.known[key] = m
	}
	return m
}

func (s *schema) try(pattern, name string) match {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || !s.step(programSize(tree)*(1+len(name)/8)) {
		return notDecidable
	}
	re, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		return notDecidable
	case re.MatchString(name):
		return matched
	}
	return notMatched
}

// programSize estimates how many instructions a pattern compiles to: a{1000} is a thousand.
func programSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		size += programSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return size
}
