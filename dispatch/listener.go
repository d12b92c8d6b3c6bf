package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"

	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/scripts"
	"octo-operator/text"
)

const (
	// maxLogged is how many bytes of log a script's output may make: it is read by people, and kept by somebody else. 60 MB of helm's
	// stderr were 60 MiB of log.
	maxLogged = 1 << 20
	// recordOverhead is about what a record has besides its line, in bytes.
	recordOverhead = 256
	// maxCommands is how many commands of a script its run's timeline has. The operator's own scripts have at most ten.
	maxCommands = 100
)

// listener takes what a script writes: into output.log, into the log, and the end of its stderr as the reason of a failure.
type listener struct {
	task      *Task
	script    string
	limits    limits
	stop      func(error) // stops the script, with the reason
	announced announcements
	tail      tail
	asItIs    tail        // with what the run hides
	reached   *limitError // the limit that the script itself says it has reached; nil: none
	written   int64       // bytes, all of them
	logged    int64       // bytes of log, about
	cut       bool        // the log got no more
	commands  int         // that were announced
}

func newListener(t *Task, script string, l limits, stop func(error)) *listener {
	return &listener{task: t, script: script, limits: l, stop: stop, announced: newAnnouncements()}
}

// line takes one line as it comes.
func (l *listener) line(line exec.Line) {
	if l.written += int64(len(line.Text)) + 1; l.limits.output > 0 && l.written > l.limits.output {
		l.stop(exceeded(l.script+" wrote more than it may and was stopped", "OPERATOR__SCRIPTOUTPUT", l.limits.output))
		return // what it still has to say is lost
	}
	line.Text = text.Printable(line.Text) // it may be a chart's or a repository's, and is read in terminals
	if cmd, ok := l.announced.command(line); ok {
		l.task.Output.Line(line.Time, line.Stream, "+ "+cmd)
		l.task.Log.Info("command", "cmd", cmd)
		l.command(cmd)
		return
	}
	asItIs := line
	line.Text = l.task.hidden.Load().Text(line.Text) // what has become known while the script runs
	if l.script == scripts.ChartPull {
		line.Text = exec.WithoutAddressSecrets(line.Text)
	}
	l.task.Output.Line(line.Time, line.Stream, line.Text)
	l.log(line)
	if l.reached != nil { // what follows is a list of all that the program was doing
		return
	}
	l.reached = l.limits.reached(l.script, asItIs.Text)
	l.tail.add(line)
	l.asItIs.add(asItIs)
}

// command notes a command that the script announces. Of thousands only the first maxCommands are noted; output.log has all.
func (l *listener) command(cmd string) {
	if l.task.OnCommand != nil {
		l.task.OnCommand(cmd)
	}
	switch l.commands++; {
	case l.commands <= maxCommands:
		l.task.course.note(runs.Moment{Kind: runs.KindCommand, Name: cmd})
	case l.commands == maxCommands+1:
		l.task.course.note(runs.Moment{Kind: runs.KindCut, Text: "the script's other commands are in output.log alone"})
	}
}

// log makes a record of each line as it comes, up to maxLogged.
func (l *listener) log(line exec.Line) {
	// What went well is told by the records around it: at info a deploy reads like a story.
	level := slog.LevelDebug
	if line.Stream == "stderr" && l.reached == nil {
		level = slog.LevelInfo
	}
	if ctx := context.Background(); !l.cut && l.task.Log.Enabled(ctx, level) {
		if l.logged += int64(len(line.Text)) + recordOverhead; l.logged > maxLogged {
			l.cut = true
			l.task.Log.Warn("output cut: the rest of it is in output.log alone", "step", l.script, "dir", l.task.Dir)
			return
		}
		l.task.Log.Log(ctx, level, line.Text, "stream", line.Stream)
	}
}

// reasonOf is why the script has failed, given how its run ended.
func (l *listener) reasonOf(err error) error {
	exit := (*exec.ExitError)(nil)
	switch tooMuch := (*limitError)(nil); {
	case errors.As(err, &tooMuch): // it was stopped because of that
		return tooMuch
	case !errors.As(err, &exit):
		return err
	case l.reached != nil:
		return l.reached
	case l.limits.fileSize > 0 && (exit.Signal == "SIGXFSZ" || exit.Code == 128+sigXFSZ):
		return l.limits.reached(l.script, "file too large")
	}
	if text := l.tail.text(); text != "" {
		return &lastWords{text, l.asItIs.text()}
	}
	return err
}

// lastWords are the end of what a script wrote to stderr.
type lastWords struct {
	told   string
	asItIs string // with the secrets that the run hides, one of which may be a word by which is known whether another try helps: for classify alone
}

func (e *lastWords) Error() string { return e.told }

// tail keeps the end of what a script wrote to stderr: why it failed.
type tail struct{ lines []string }

// The first error counts most, and much may follow it: kubectl adds ten lines of advice to a conflict, and of an immutable Job it
// shows all of its template.
const (
	tailLines = 200
	tailBytes = 64 << 10
)

func (t *tail) add(line exec.Line) {
	// Helm 4 logs what its Error then says again, and both tools log what goes on inside them.
	helmLog := strings.HasPrefix(line.Text, "level=") || klogLine.MatchString(line.Text)
	if line.Stream != "stderr" || helmLog || strings.TrimSpace(line.Text) == "" {
		return
	}
	if t.lines = append(t.lines, line.Text); len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

// klogLine is how Kubernetes' client library logs: E1123 11:35:18.625841    4711 request.go:1198] …
var klogLine = regexp.MustCompile(`^[EWI][0-9]{4} [0-9:.]+ +[0-9]+ `)

func (t *tail) text() string {
	text := strings.Join(t.lines, "\n")
	return strings.ToValidUTF8(text[max(0, len(text)-tailBytes):], "")
}
