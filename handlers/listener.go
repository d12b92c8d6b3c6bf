package handlers

import (
	"context"
	"log/slog"

	"octo-operator/exec"
	"octo-operator/scripts"
)

// maxLogged is how many bytes of log a script's output may make: it is read by people, and kept by somebody else. 60 MB of helm's
// stderr were 60 MiB of log. aRecord is about what a record has besides its line.
const (
	maxLogged = 1 << 20
	aRecord   = 256
)

// listener takes what a script writes: into output.log, into the log, and the end of its stderr as the reason of a failure.
type listener struct {
	task      *task
	script    string
	limits    limits
	stop      func(error)
	announced announcements
	tail      tail
	reached   *limitError // by what the script itself says
	written   int64       // bytes, all of them
	logged    int64       // bytes of log, about
	cut       bool        // the log got no more
}

func newListener(t *task, script string, l limits, stop func(error)) *listener {
	return &listener{task: t, script: script, limits: l, stop: stop, announced: newAnnouncements()}
}

func (l *listener) line(line exec.Line) {
	if l.written += int64(len(line.Text)) + 1; l.limits.output > 0 && l.written > l.limits.output {
		l.stop(exceeded(l.script+" wrote more than it may and was stopped", "OPERATOR__SCRIPTOUTPUT", l.limits.output))
		return // what it still has to say is lost
	}
	line.Text = printable(line.Text) // it may be a chart's or a repository's, and is read in terminals
	if cmd, ok := l.announced.command(line); ok {
		l.task.output.Line(line.Time, line.Stream, "+ "+cmd)
		l.task.log.Info("command", "cmd", cmd)
		return
	}
	if l.script == scripts.ChartPull {
		line.Text = withoutAddressSecrets(line.Text)
	}
	l.task.output.Line(line.Time, line.Stream, line.Text)
	l.log(line)
	if l.reached != nil { // what follows is a list of all that the program was doing
		return
	}
	l.reached = l.limits.reached(l.script, line.Text)
	l.tail.add(line)
}

// log makes a record of each line as it comes, up to maxLogged.
func (l *listener) log(line exec.Line) {
	// What went well is told by the records around it: at info a deploy reads like a story.
	level := slog.LevelDebug
	if line.Stream == "stderr" && l.reached == nil {
		level = slog.LevelInfo
	}
	if ctx := context.Background(); !l.cut && l.task.log.Enabled(ctx, level) {
		if l.logged += int64(len(line.Text)) + aRecord; l.logged > maxLogged {
			l.cut = true
			l.task.log.Warn("output cut: the rest of it is in output.log alone", "step", l.script, "dir", l.task.Dir)
			return
		}
		l.task.log.Log(ctx, level, line.Text, "stream", line.Stream)
	}
}
