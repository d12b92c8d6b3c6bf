package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/text"
)

// maxMembers bounds the number of fields of an event and of an override. The contract has some twenty.
const maxMembers = 200

// checkJSON refuses an argument that two readers may understand differently: if a field comes twice, in whatever case, one reader takes
// the first value, another the last, and a third merges both, so that a secret could pass for a plain value.
func checkJSON(argument json.RawMessage) error {
	err := errors.New("it is not JSON")
	if json.Valid(argument) {
		s := scanner{text: argument}
		err = errors.New("it is not a JSON object")
		if s.next() == '{' {
			err = s.members(func(name string) error {
				if strings.EqualFold(name, "values") && s.next() == '[' {
					return s.overrides()
				}
				s.skip()
				return nil
			})
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return nil
}

// scanner reads valid JSON without allocating memory: an event may have megabytes, and each is scanned.
type scanner struct {
	text []byte
	at   int
}

// next returns the first byte of the next token.
func (s *scanner) next() byte {
	for s.text[s.at] <= ' ' || s.text[s.at] == ',' || s.text[s.at] == ':' {
		s.at++
	}
	return s.text[s.at]
}

// members reads an object. It calls value for each member, which must read the member's value.
func (s *scanner) members(value func(name string) error) error {
	var seen []string
	for s.at++; s.next() != '}'; {
		name := s.name()
		switch {
		case slices.ContainsFunc(seen, func(other string) bool { return strings.EqualFold(other, name) }): // compares names as Go's decoder does
			return fmt.Errorf("the field %s comes twice", text.Quoted(name))
		case len(seen) == maxMembers:
			return fmt.Errorf("it has more than %d fields", maxMembers)
		}
		seen = append(seen, name)
		if err := value(name); err != nil {
			return err
		}
	}
	s.at++
	return nil
}

// overrides reads the list of overrides. Elements that are no objects are reported when the event is decoded.
func (s *scanner) overrides() error {
	s.at++
	for i := 0; s.next() != ']'; i++ {
		if i == bounds.Overrides {
			return fmt.Errorf("values has more than %d overrides", bounds.Overrides)
		}
		if s.next() != '{' {
			s.skip()
			continue
		}
		if err := s.members(func(string) error { s.skip(); return nil }); err != nil {
			return fmt.Errorf("values[%d]: %w", i, err)
		}
	}
	s.at++
	return nil
}

func (s *scanner) name() string {
	from := s.at
	s.skipString()
	text := s.text[from:s.at]
	if !bytes.ContainsRune(text, '\\') {
		return string(text[1 : len(text)-1])
	}
	var name string
	_ = json.Unmarshal(text, &name) // cannot fail: it is a string
	return name
}

// skip reads a value to its end.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch s.next() {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case '"':
			s.skipString()
		default: // a number, true, false or null
			for s.at < len(s.text) && strings.IndexByte(" \t\r\n,:]}", s.text[s.at]) < 0 {
				s.at++
			}
		}
		if depth == 0 {
			return
		}
	}
}

func (s *scanner) skipString() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}
