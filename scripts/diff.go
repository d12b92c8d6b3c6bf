package scripts

import (
	"fmt"
	"strconv"
	"strings"
)

// unchanged is how many lines around a change a diff has.
const unchanged = 3

// Diff returns what has to be changed in a to make b of it, as diff -u prints it; "" if both are the same. Lines is how many lines are added
// and removed.
func Diff(nameA, nameB string, a, b []byte) (text string, added, removed int) {
	edits := compare(splitLines(a), splitLines(b))
	var out strings.Builder
	for begin := 0; begin < len(edits); {
		if edits[begin].op == ' ' {
			begin++
			continue
		}
		first, end := max(0, begin-unchanged), begin
		for quiet := 0; end < len(edits) && quiet <= 2*unchanged; end++ {
			if quiet++; edits[end].op != ' ' {
				quiet = 0
			}
		}
		for end > begin && edits[end-1].op == ' ' {
			end--
		}
		end = min(len(edits), end+unchanged)
		hunk(&out, edits[first:end])
		begin = end
	}
	for _, e := range edits {
		switch e.op {
		case '+':
			added++
		case '-':
			removed++
		}
	}
	if out.Len() == 0 {
		return "", 0, 0
	}
	return fmt.Sprintf("--- %s\n+++ %s\n%s", nameA, nameB, out.String()), added, removed
}

// edit is a line of a diff. a and b are the numbers of lines before it.
type edit struct {
	op   byte // ' ', '-' or '+'
	line string
	a, b int
}

func hunk(out *strings.Builder, edits []edit) {
	var a, b int
	for _, e := range edits {
		if e.op != '+' {
			a++
		}
		if e.op != '-' {
			b++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(edits[0].a, a), span(edits[0].b, b))
	for _, e := range edits {
		fmt.Fprintf(out, "%c%s", e.op, e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span is a range of lines as diff -u writes it: one line by its number alone, no line by that of the line before.
func span(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return strconv.Itoa(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

func splitLines(text []byte) []string {
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// longestCompared is how many lines of both texts are compared line by line, which takes as many steps as their product. What is longer is
// shown as replaced.
const longestCompared = 4000

// compare finds the longest common sequence of lines.
func compare(a, b []string) (edits []edit) {
	var common [][]uint16
	small := len(a) <= longestCompared && len(b) <= longestCompared
	if small {
		common = make([][]uint16, len(a)+1)
		for i := range common {
			common[i] = make([]uint16, len(b)+1)
		}
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					common[i][j] = common[i+1][j+1] + 1
				} else {
					common[i][j] = max(common[i+1][j], common[i][j+1])
				}
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, edit{' ', a[i], i, j})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || !small || common[i+1][j] >= common[i][j+1]):
			edits = append(edits, edit{'-', a[i], i, j})
			i++
		default:
			edits = append(edits, edit{'+', b[j], i, j})
			j++
		}
	}
	return edits
}
