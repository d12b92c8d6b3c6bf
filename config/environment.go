package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// environment is the process' variables by name in upper case: .NET does not tell upper from lower case either.
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

// value of a variable; empty where there is none or a blank one.
func (e environment) value(name string) string {
	if v := e[name].value; strings.TrimSpace(v) != "" {
		return v
	}
	return ""
}

// child is one entry of a list: what stands for n in its name, as it was written, and its value, which may be blank.
type child struct{ key, value string }

// children are the entries of the list whose names are pattern, with something for its placeholder, in the order in which .NET binds
// them: numbers by their value, with or without gaps, then anything else.
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

// matching are the variables that set s, as they were written.
func (e environment) matching(s setting) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if s.is(name) {
			names = append(names, e[name].name)
		}
	}
	return names
}

// unknown has a sentence for each variable that looks like a setting and is none. Their values may be anything, and are not told.
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

// nearest is the name that differs from name in the fewest characters; empty where a third of them differ.
func nearest(name string) string {
	parts := strings.Split(name, "__")
	for i, part := range parts {
		if _, err := strconv.Atoi(part); err == nil {
			parts[i] = "n" // as the names of lists have it
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

// distance is how many characters must be put in, taken out or changed to make b of a (Levenshtein).
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
