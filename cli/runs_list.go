package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"octo-operator/dispatch/runs/story"
	"octo-operator/text"
)

// narrowReason is how many characters a reason must get to stand in its line; where a terminal leaves it less, it stands below.
const narrowReason = 30

// printList prints a line for each run. width is the terminal's in characters; 0: it is none, and nothing is cut.
func printList(to io.Writer, list []story.Summary, now time.Time, wide bool, width int) {
	rows := [][]string{{"OUTCOME", "TOOK", "AGE", "ID", "CALLBACK", "TENANT", "RELEASE"}}
	if wide {
		rows[0] = append(rows[0], "WORKLOAD", "NAMESPACE", "CAME")
	}
	for _, s := range list {
		rows = append(rows, cells(s, now, wide))
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	used := 0
	for _, w := range widths {
		used += w + 2
	}
	below := width > 0 && width-used < narrowReason
	for i, row := range rows {
		line := aligned(row, widths)
		reason := "REASON"
		if i > 0 {
			reason = firstLine(list[i-1].Reason)
		}
		switch {
		case !below:
			fmt.Fprintln(to, strings.TrimRight(line+fit(reason, width-used, width), " "))
		default:
			fmt.Fprintln(to, fit(strings.TrimRight(line, " "), width, width))
			if i > 0 && reason != "" {
				fmt.Fprintln(to, "    "+fit(reason, width-4, width))
			}
		}
	}
}

// cells are a run's columns before its reason.
func cells(s story.Summary, now time.Time, wide bool) []string {
	most := 40
	id := endOf(s.ShortID)
	if wide {
		most, id = 1000, s.ShortID
	}
	short := func(foreign string) string { return shortened(text.Printable(foreign), most) }
	subject := s.Release
	if subject == "" && s.Pool != "" {
		subject = "pool " + s.Pool
	}
	row := []string{string(s.Outcome), brief(s.Seconds), age(s.Came, now), text.Printable(id), cmp.Or(s.Callback, "?"), cmp.Or(short(s.Tenant), "?"), cmp.Or(short(subject), "-")}
	if wide {
		row = append(row, cmp.Or(short(s.Workload), "-"), cmp.Or(short(s.Namespace), "-"), s.Came.UTC().Format(time.RFC3339))
	}
	return row
}

// endOf is the random end of a run's id: what people type.
func endOf(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

func aligned(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return b.String()
}

// fit cuts a line to what is left of a terminal's width; where there is no terminal (width 0) it stays whole.
func fit(line string, left, width int) string {
	if width == 0 {
		return line
	}
	return shortened(line, left)
}

// shortened is the first most characters of a line; a cut is marked by "…", which counts.
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

// brief is a duration in at most six characters: 340ms, 2.1s, 45s, 3m12s, 2h05m, 3d4h.
func brief(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
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

// age is how long ago something was, in one unit; "?": it is not known when it was.
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
