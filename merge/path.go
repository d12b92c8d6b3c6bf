package merge

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"octo-operator/bounds"
)

// maxIndex is the highest list index that a path may have, as in helm (strvals.MaxIndex).
const maxIndex = 65536

// Path leads to a value: map keys and list indexes, outermost first. Its text is as in helm --set: names separated by dots, list indexes
// in brackets, and a backslash before a character that has no special meaning.
//
//	ingress.enabled            a key in a map
//	env[0].value               in a list; [0][1] for a list in a list
//	annotations.example\.com/x the key is example.com/x
//
// Unlike in helm --set, a comma, = and {} have no meaning.
type Path []Step

// Step is one map key or, if InList is set, one list index.
type Step struct {
	Name   string
	Index  int
	InList bool
}

// parsePath reads the text of a path. Errors give the position in bytes, counted from 1.
func parsePath(text string) (Path, error) {
	if text == "" {
		return nil, errors.New("the path is empty")
	}
	if len(text) > bounds.Path {
		return nil, fmt.Errorf("the path has %d bytes, the limit is %d", len(text), bounds.Path)
	}
	var path Path
	for at := 0; ; at++ { // at++ steps over the dot
		name, next, err := scanName(text, at)
		if err != nil {
			return nil, err
		}
		path, at = append(path, Step{Name: name}), next
		for at < len(text) && text[at] == '[' {
			index, next, err := scanIndex(text, at)
			if err != nil {
				return nil, err
			}
			path, at = append(path, Step{Index: index, InList: true}), next
		}
		if len(path) > bounds.Depth {
			return nil, fmt.Errorf("the path is deeper than %d levels", bounds.Depth)
		}
		if at == len(text) {
			return path, nil
		}
		if text[at] != '.' {
			return nil, fmt.Errorf("after an index comes a dot or another index, not what is at position %d", at+1)
		}
	}
}

// scanName reads the name that starts at from. end is where it ends: at a dot, a bracket or the end of the text.
func scanName(text string, from int) (name string, end int, err error) {
	var b strings.Builder
	at := from
	for ; at < len(text) && text[at] != '.' && text[at] != '['; at++ {
		if text[at] == '\\' {
			if at++; at == len(text) {
				return "", 0, fmt.Errorf("backslash with nothing after it at position %d", at)
			}
		}
		b.WriteByte(text[at])
	}
	if b.Len() == 0 {
		return "", 0, fmt.Errorf("a name is missing at position %d", at+1)
	}
	return b.String(), at, nil
}

// scanIndex reads an index such as "[12]" that starts at from, and returns the position after it.
func scanIndex(text string, from int) (index, end int, err error) {
	inner, _, closed := strings.Cut(text[from+1:], "]")
	if !closed {
		return 0, 0, fmt.Errorf("[ without ] at position %d", from+1)
	}
	for _, r := range inner {
		if r < '0' || r > '9' {
			return 0, 0, fmt.Errorf("index is not a number at position %d", from+1)
		}
	}
	if inner == "" {
		return 0, 0, fmt.Errorf("index is missing at position %d", from+1)
	}
	index, err = strconv.Atoi(inner)
	if err != nil || index > maxIndex {
		return 0, 0, fmt.Errorf("index is above %d at position %d", maxIndex, from+1)
	}
	return index, from + len(inner) + 2, nil
}

// String returns the path in the form that parsePath reads. No text leads to an empty map key.
func (p Path) String() string {
	var b strings.Builder
	for i, step := range p {
		if step.InList {
			fmt.Fprintf(&b, "[%d]", step.Index)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(escapeName.Replace(step.Name))
	}
	return b.String()
}

var escapeName = strings.NewReplacer(`\`, `\\`, `.`, `\.`, `[`, `\[`)

// quote quotes a path for an error, and cuts it: it may be of any length.
func quote(path string) string {
	const enough = 200
	if len(path) > enough {
		return strconv.Quote(path[:enough]) + "…"
	}
	return strconv.Quote(path)
}
