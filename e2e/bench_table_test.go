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

// comparison is what two ways of doing the same took, in turns.
type comparison struct{ operator, hand, ratios []float64 }

// comparePairs lets both take turns. Who is first alternates too: the second one finds warmer caches.
func comparePairs(n int, operator, hand func(i int) time.Duration) (c comparison) {
	for i := range n {
		var a, b time.Duration
		if i%2 == 0 {
			a = operator(i)
			b = hand(i)
		} else {
			b = hand(i)
			a = operator(i)
		}
		c.operator, c.hand = append(c.operator, milliseconds(a)), append(c.hand, milliseconds(b))
		c.ratios = append(c.ratios, float64(a)/float64(b))
	}
	return c
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
}

const noTarget = 0

func (t *table) add(b *testing.B, what string, c comparison) {
	ratio := median(c.ratios)
	t.row(what, fmt.Sprintf("%.0f ms", median(c.operator)), fmt.Sprintf("%.0f ms", median(c.hand)),
		fmt.Sprintf("%.3f", ratio), span("%.2f", c.ratios), fmt.Sprintf("%d pairs", len(c.ratios)),
		fmt.Sprintf("≤ %.2f", targetRatio), verdict(ratio, targetRatio))
	b.ReportMetric(median(c.operator), "operator-ms")
	b.ReportMetric(median(c.hand), "hand-ms")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(0, "ns/op") // hides it: the time of a whole series says nothing
}

func (t *table) addSingle(b *testing.B, what, unit string, numbers []float64, target float64) {
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
	for _, note := range t.notes {
		fmt.Fprintln(to, note)
	}
}
