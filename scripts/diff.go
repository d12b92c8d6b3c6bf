package scripts

import (
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff returns a unified diff from a to b; "" if they are equal. added and removed are the numbers of added and removed lines.
func Diff(nameA, nameB string, a, b []byte) (text string, added, removed int) {
	_, text, _ = strings.Cut(string(diff.Diff(nameA, a, nameB, b)), "\n") // the first line only repeats the names
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "+"):
			added++
		case strings.HasPrefix(line, "-"):
			removed++
		}
	}
	return text, max(0, added-1), max(0, removed-1) // without the lines --- and +++
}
