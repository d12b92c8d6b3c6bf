package scripts

import (
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns what has to be changed in a to make b of it, as a unified diff; "" if both are the same. added and removed are how many lines
// are.
func Diff(nameA, nameB string, a, b []byte) (text string, added, removed int) {
	_, text, _ = strings.Cut(string(diff.Diff(nameA, a, nameB, b)), "\n") // a line that only repeats the names
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return text, max(0, added-1), max(0, removed-1) // without the names
}
