package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// environment maps names in upper case to variables. Names are case-insensitive, as in .NET.
type environment map[string]variable

type variable struct{ name, value string } // the name as it was written

func newEnvironment(environ []string) environment {
	e := environment{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		e[strings.ToUpper(name)] = variable{name, value}
	}
	return e
}

// value returns the value of a variable; empty if it is not set or blank.
func (e environment) value(name string) string {
	if v := e[name].value; strings.TrimSpace(v) != "" {
		return v
	}
	return ""
}

// child is one entry of a list setting. key is the part of the name that stands for n or KEYID, as it was written; value may be blank.
type child struct{ key, value string }

// children returns the entries of a list setting. pattern is its name with the placeholder. The order is .NET's: numeric keys by value,
// gaps allowed, then all others.
func (e environment) children(pattern string) []child {
	before, after := splitPattern(pattern)
	var found []child
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if matches(pattern, name) {
			v := e[name]
			found = append(found, child{v.name[len(before) : len(v.name)-len(after)], v.value})
		}
	}
	slices.SortStableFunc(found, func(a, b child) int {
		n, errN := strconv.Atoi(a.key)
		m, errM := strconv.Atoi(b.key)
		switch {
		case errN == nil && errM == nil:
			return cmp.Compare(n, m)
		case errN == nil:
			return -1
		case errM == nil:
			return 1
		}
		return 0
	})
	return found
}

// matching returns the names, as they were written, of the variables that set s.
func (e environment) matching(s setting) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if s.is(name) {
			names = append(names, e[name].name)
		}
	}
	return names
}

// unknown returns a sentence for each OPERATOR__ variable that is no setting. It never contains a value, which might be secret.
func (e environment) unknown() (sentences []string) {
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !strings.HasPrefix(name, "OPERATOR__") {
			continue
		}
		_, known := find(name)
		if _, file := fileOf(name); known || file {
			continue
		}
		sentence := fmt.Sprintf("%s is not a setting", e[name].name)
		if like := nearest(name); like != "" {
			sentence += ": do you mean " + like + "?"
		}
		sentences = append(sentences, sentence)
	}
	return sentences
}

// nearest returns the setting whose name is most similar to name; empty if a third of the characters or more differ.
func nearest(name string) string {
	parts := strings.Split(name, "__")
	for i, part := range parts {
		if _, err := strconv.Atoi(part); err == nil {
			parts[i] = "n" // the placeholder in the names of list settings
		}
	}
	name = strings.Join(parts, "__")
	best, least := "", len(name)/3
	for _, s := range table(&Config{}) {
		for _, known := range append([]string{s.Name}, s.Aliases...) {
			if d := distance(name, known); d < least {
				best, least = known, d
			}
		}
	}
	return best
}

// distance is the Levenshtein distance: how many characters must be inserted, removed or replaced to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
