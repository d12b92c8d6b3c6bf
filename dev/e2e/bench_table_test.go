package e2e

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// cost is that of a deploy, or of several.
type cost struct {
	wall time.Duration
	cpu  time.Duration // of the operator or the shell and all their commands, without the cluster's
}

// comparison is how long two ways of doing the same took, taking turns; times in milliseconds.
type comparison struct{ operator, hand, ratios []float64 }

func (c *comparison) add(operator, hand time.Duration) {
	c.operator, c.hand = append(c.operator, milliseconds(operator)), append(c.hand, milliseconds(hand))
	c.ratios = append(c.ratios, float64(operator)/float64(hand))
}

// comparePairs lets both take turns. Which is first alternates too, because the second one finds warmer caches.
func comparePairs(n int, operator, hand func(i int) cost) (wall, cpu comparison) {
	for i := range n {
		var a, b cost
		if i%2 == 0 {
			a = operator(i)
			b = hand(i)
		} else {
			b = hand(i)
			a = operator(i)
		}
		wall.add(a.wall, b.wall)
		cpu.add(a.cpu, b.cpu)
	}
	return wall, cpu
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func span(format string, numbers []float64) string {
	return fmt.Sprintf(format+"–"+format, slices.Min(numbers), slices.Max(numbers))
}

// table collects the results of all benchmarks.
type table struct {
	rows  [][]string
	notes []string
	sides bool // it has rows that compare the operator with a hand
}

const noTarget = 0

// compare measures pairs and adds them: the elapsed time, which has a target, and the CPU time, which tells more on a busy machine.
func (t *table) compare(b *testing.B, what string, n int, target float64, operator, hand func(i int) cost) {
	t.sides = true
	wall, cpu := comparePairs(n, operator, hand)
	t.compared(b, what, target, wall, cpu)
}

// compared adds a comparison that was measured.
func (t *table) compared(b *testing.B, what string, target float64, wall, cpu comparison) {
	ratio := median(wall.ratios)
	t.comparison(what, wall, fmt.Sprintf("≤ %.2f", target), verdict(ratio, target))
	t.comparison("   its CPU time", cpu, "–", "")
	b.ReportMetric(median(wall.operator), "operator-ms")
	b.ReportMetric(median(wall.hand), "hand-ms")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(median(cpu.ratios), "cpu-ratio")
	b.ReportMetric(0, "ns/op") // hides the time of a whole series, which means nothing
}

func (t *table) comparison(what string, c comparison, target, verdict string) {
	t.row(what, fmt.Sprintf("%.0f ms", median(c.operator)), fmt.Sprintf("%.0f ms", median(c.hand)),
		fmt.Sprintf("%.3f", median(c.ratios)), span("%.2f", c.ratios), fmt.Sprintf("%d pairs", len(c.ratios)), target, verdict)
}

// single adds numbers that are not compared with anything.
func (t *table) single(b *testing.B, what, unit string, numbers []float64, target float64) {
	m := median(numbers)
	goal := "–"
	if target != noTarget {
		goal = fmt.Sprintf("≤ %.0f %s", target, unit)
	}
	t.row(what, fmt.Sprintf("%.1f %s", m, unit), "–", "–", span("%.1f", numbers), fmt.Sprintf("%d starts", len(numbers)),
		goal, verdict(m, target))
	b.ReportMetric(m, strings.NewReplacer(", ", "-", " ", "-").Replace(what)+"-"+unit)
	b.ReportMetric(0, "ns/op")
}

func verdict(value, target float64) string {
	switch {
	case target == noTarget:
		return ""
	case value <= target:
		return "ok"
	default:
		return "MISSED"
	}
}

func (t *table) row(columns ...string) { t.rows = append(t.rows, columns) }

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nwhat\toperator\tby hand\tratio\tmin–max\tmeasured\ttarget\t")
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	fmt.Fprintln(to, "medians; the ratio is the median of the pairwise ratios, min–max is theirs")
	if t.sides {
		fmt.Fprintln(to, sides)
	}
	for _, note := range t.notes {
		fmt.Fprintln(to, note)
	}
}
