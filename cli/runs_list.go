package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"octo-operator/dispatch/runs/story"
	"octo-operator/text"
)

// narrowReason is how many characters a reason needs to stand in its line; on a terminal that leaves it less, it stands below.
const narrowReason = 30

// printList prints a line for each run. width is the terminal's in characters; 0: it is not a terminal, and nothing is cut.
func printList(to io.Writer, list []story.Summary, now time.Time, wide bool, width int) {
	columns := runColumns(wide)
	rows, used := layOut(columns, "  ", list, now)
	if width == 0 || width-used >= narrowReason {
		for i, row := range rows {
			fmt.Fprintln(to, strings.TrimRight(row+fit(reasonOf(list, i), width-used, width), " "))
		}
		return
	}
	// The names of releases begin with the tenant's.
	rows, _ = layOut(slices.DeleteFunc(columns, func(c column) bool { return c.title == "TENANT" }), " ", list, now)
	for i, row := range rows {
		fmt.Fprintln(to, fit(strings.TrimRight(row, " "), width, width))
		if reason := reasonOf(list, i); i > 0 && reason != "" {
			fmt.Fprintln(to, "    "+fit(reason, width-4, width))
		}
	}
}

// column is a column of the table, before the reason.
type column struct {
	title string
	cell  func(s story.Summary, now time.Time) string
}

func runColumns(wide bool) []column {
	most := 40 // characters of a name
	if wide {
		most = 1000
	}
	name := func(foreign string) string { return cmp.Or(shortened(text.Printable(foreign), most), "-") }
	columns := []column{
		{"OUTCOME", func(s story.Summary, _ time.Time) string { return string(s.Outcome) }},
		{"TOOK", func(s story.Summary, _ time.Time) string { return brief(s.Seconds) }},
		{"AGE", func(s story.Summary, now time.Time) string { return age(s.Came, now) }},
		{"ID", func(s story.Summary, _ time.Time) string { return text.Printable(s.RandomEnd()) }},
		{"CALLBACK", func(s story.Summary, _ time.Time) string { return cmp.Or(s.Callback, "?") }},
		{"TENANT", func(s story.Summary, _ time.Time) string { return name(s.Tenant) }},
		{"WORKLOAD", func(s story.Summary, _ time.Time) string { return name(s.Workload) }}, // the name that people know from the controller
		{"RELEASE", func(s story.Summary, _ time.Time) string {
			if s.Release == "" && s.Pool != "" {
				return name("pool " + s.Pool)
			}
			return name(s.Release)
		}},
	}
	if !wide {
		return columns
	}
	columns[3].cell = func(s story.Summary, _ time.Time) string { return text.Printable(s.ShortID) }
	return append(columns,
		column{"NAMESPACE", func(s story.Summary, _ time.Time) string { return name(s.Namespace) }},
		column{"CAME", func(s story.Summary, _ time.Time) string { return s.Came.UTC().Format(time.RFC3339) }},
	)
}

// layOut makes a line of titles and one for each run, with aligned columns. gap stands between two columns; used is the width of all.
func layOut(columns []column, gap string, list []story.Summary, now time.Time) (rows []string, used int) {
	rows = make([]string, len(list)+1)
	for _, c := range columns {
		cells := []string{c.title}
		for _, s := range list {
			cells = append(cells, c.cell(s, now))
		}
		width := 0
		for _, cell := range cells {
			width = max(width, utf8.RuneCountInString(cell))
		}
		for i, cell := range cells {
			rows[i] += cell + strings.Repeat(" ", width-utf8.RuneCountInString(cell)) + gap
		}
		used += width + len(gap)
	}
	return rows, used
}

// reasonOf returns the last cell of a row; row 0 has the titles.
func reasonOf(list []story.Summary, row int) string {
	if row == 0 {
		return "REASON"
	}
	return firstLine(list[row-1].Reason)
}

// fit cuts a line to what is left of a terminal's width; if width is 0, there is no terminal, and the line stays whole.
func fit(line string, left, width int) string {
	if width == 0 {
		return line
	}
	return shortened(line, left)
}

// shortened returns at most most characters of a line; "…", which counts, marks a cut.
func shortened(line string, most int) string {
	if utf8.RuneCountInString(line) <= most {
		return line
	}
	characters := []rune(line)
	return string(characters[:max(0, most-1)]) + "…"
}

func firstLine(reason string) string {
	line, _, _ := strings.Cut(reason, "\n")
	return text.Printable(line)
}

// brief formats a duration in at most six characters: 340ms, 2.1s, 45s, 3m12s, 2h05m, 3d4h.
func brief(seconds float64) string {
	d := time.Duration(min(max(seconds, 0), 1e9) * float64(time.Second))
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// age returns how long ago something was, in one unit; "?": it is not known.
func age(when, now time.Time) string {
	d := max(0, now.Sub(when))
	switch {
	case when.IsZero():
		return "?"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
