package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/text"
)

// followInterval is how often a followed run is read.
const followInterval = 250 * time.Millisecond

// Exit codes of --follow when the run has not succeeded.
const (
	exitFailed     = 2
	exitSuperseded = 3
)

func followRun(what string) error {
	ctx, stop := untilSignal()
	defer stop()
	_, run, err := findRun(what)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	s, err := follow(ctx, out, run)
	if err != nil {
		return err
	}
	switch ended := fmt.Errorf("run %s: %s", s.ShortID, s.Outcome); s.Outcome {
	case runs.Succeeded:
		return nil
	case runs.Superseded:
		return &ExitError{exitSuperseded, ended}
	default:
		return &ExitError{exitFailed, ended}
	}
}

// follow prints what happens to a run, and the output of its scripts, until the run has ended or ctx ends.
func follow(ctx context.Context, to *bufio.Writer, run *runs.Run) (story.Summary, error) {
	f := follower{run: run, day: run.Created()}
	s := story.Summarize(run, time.Now())
	fmt.Fprintf(to, "%s of %s, tenant %s\nRUN=%s\n", s.Callback, text.Shown(cmp.Or(s.Release, s.Pool)), text.Shown(s.Tenant), text.Printable(run.Dir))
	for {
		s = story.Summarize(run, time.Now()) // before the rest is read: so if it has ended, the rest is complete
		if err := f.print(to); err != nil {
			return s, fmt.Errorf("cannot follow run %s: %w", s.ShortID, err)
		}
		if s.Ended != nil || s.Outcome == story.Unreadable {
			fmt.Fprintf(to, "%s after %s\n", s.Outcome, brief(s.Seconds))
			if s.Reason != "" {
				fmt.Fprintln(to, text.PrintableLines(s.Reason))
			}
			return s, to.Flush()
		}
		if err := to.Flush(); err != nil {
			return s, err
		}
		if _, err := os.Stat(run.Dir); errors.Is(err, fs.ErrNotExist) {
			return s, fmt.Errorf("cannot follow run %s: its directory was removed", s.ShortID)
		}
		select {
		case <-time.After(followInterval):
		case <-ctx.Done():
			return s, fmt.Errorf("run %s is followed no longer; it goes on", s.ShortID)
		}
	}
}

// follower knows how much of a run has been printed.
type follower struct {
	run     *runs.Run
	moments int
	last    runs.Moment // the last moment that was printed
	looked  bool        // the output was read before
	offset  int64       // in output.log
	day     time.Time   // the date of the last line of output.log, whose lines have only a time
}

// happened is a line to print, and when it happened.
type happened struct {
	at   time.Time
	rank int // order within the same millisecond
	line string
}

// The ranks: output comes after the beginning of what prints it.
const (
	begins = iota
	prints
	ends
)

// print prints what has happened since the last call, in the order of time.
func (f *follower) print(to io.Writer) error {
	lines, err := f.newOutput()
	if err != nil {
		return err
	}
	all := append(f.newMoments(), lines...)
	slices.SortStableFunc(all, func(a, b happened) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.rank - b.rank
	})
	for _, h := range all {
		if _, err := fmt.Fprintln(to, h.line); err != nil {
			return err
		}
	}
	return nil
}

// newMoments returns the moments that were not printed yet. If the timeline was shortened meanwhile, it looks in it for the last moment
// that was printed.
func (f *follower) newMoments() (all []happened) {
	timeline := f.run.Timeline()
	if len(timeline) < f.moments || f.moments > 0 && !timeline[f.moments-1].Time.Equal(f.last.Time) {
		later := func(m runs.Moment) bool { return m.Time.After(f.last.Time) }
		if f.moments = slices.IndexFunc(timeline, later); f.moments < 0 {
			f.moments = len(timeline)
		}
	}
	for _, m := range timeline[f.moments:] {
		f.last = m
		if m.Kind == runs.KindCommand {
			continue // it is in the output too
		}
		h := happened{at: m.Time.Truncate(time.Millisecond), rank: begins}
		switch before := len(all) > 0 && all[len(all)-1].at.Equal(h.at); {
		case m.Kind == runs.KindExit || m.Kind == runs.KindWait || m.Kind == runs.KindEnd:
			h.rank = ends
		case before:
			h.rank = all[len(all)-1].rank
		}
		words := strings.TrimSpace(stepWords(story.Step{Moment: m}))
		if m.Kind == runs.KindExit {
			words = "exit      " + words
		}
		h.line = m.Time.UTC().Format(outputTime) + " ------ " + words
		all = append(all, h)
	}
	f.moments = len(timeline)
	return all
}

// outputTime is the format of the time at the beginning of a line of output.log.
const outputTime = "15:04:05.000"

// longestHistory is how many bytes of earlier output are printed at the beginning, and how many are read at a time.
const longestHistory = 64 << 10

// newOutput returns the whole lines of the output that were not printed yet.
func (f *follower) newOutput() (all []happened, err error) {
	first := !f.looked
	f.looked = true
	file, size, err := runs.OpenFile(f.run.Path("output.log"))
	if err != nil {
		return nil, nil // there is no output yet
	}
	defer file.Close()
	inLine := first && size > longestHistory
	if inLine {
		f.offset = size - longestHistory
	}
	for {
		text, err := io.ReadAll(io.NewSectionReader(file, f.offset, longestHistory))
		if err != nil {
			return nil, err
		}
		lines := f.lines(string(text))
		if inLine && len(lines) > 0 {
			lines, inLine = lines[1:], false // it is only the end of a line
		}
		all = append(all, lines...)
		if len(text) < longestHistory {
			return all, nil
		}
	}
}

// lines returns the whole lines of what was read at the offset. If a line is longer than all that was read, it returns that part of it.
func (f *follower) lines(read string) (all []happened) {
	for line := range strings.Lines(read) {
		if !strings.HasSuffix(line, "\n") && len(line) < longestHistory {
			break // the rest of the line follows, or is still being written
		}
		f.offset += int64(len(line))
		f.day = timeOf(line, f.day)
		all = append(all, happened{f.day, prints, printableIndented(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), f.run.Dir+"/", "$RUN/"))})
	}
	return all
}

// timeOf returns when a line was printed. Its date follows from that of the line before.
func timeOf(line string, before time.Time) time.Time {
	clock, err := time.Parse(outputTime, line[:min(len(line), len(outputTime))])
	if err != nil {
		return before
	}
	y, m, d := before.UTC().Date()
	at := time.Date(y, m, d, clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.UTC)
	if before.Sub(at) > 12*time.Hour {
		at = at.AddDate(0, 0, 1)
	}
	return at
}
