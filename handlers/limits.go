package handlers

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"octo-operator/config"
	"octo-operator/exec"
)

// limits are what a script may take, in bytes; 0: no limit. A chart and its repository may be anybody's: without limits a template of
// one line makes helm take 4 GiB, and what is killed then is the container.
type limits struct {
	memory   int64 // of each process, see OPERATOR__SCRIPTMEMORY
	fileSize int64 // of each file, see OPERATOR__SCRIPTFILESIZE
	output   int64 // of all that it writes to stdout and stderr, see OPERATOR__SCRIPTOUTPUT
}

func limitsOf(settings config.Config, capacity config.Capacity) limits {
	return limits{capacity.ScriptMemory, int64(settings.ScriptFileSize), int64(settings.ScriptOutput)}
}

// processes are the limits that the kernel keeps.
func (l limits) processes() exec.Limits { return exec.Limits{Memory: l.memory, FileSize: l.fileSize} }

// limitError is a script that failed because of its limits. The same event would reach them again.
type limitError struct{ text string }

func (e *limitError) Error() string { return e.text }

// How programs say that they got no memory, or could not make a file larger: Go's runtime before it prints all its goroutines, the
// kernel's two errors as Go and C name them, and the shells.
var (
	outOfMemory  = regexp.MustCompile(`^(fatal error: (runtime: )?(out of memory|cannot allocate memory)|runtime: (out of memory|cannot allocate memory))|[Cc]annot allocate memory$|: [Oo]ut of (memory|space)$`)
	fileTooLarge = regexp.MustCompile(`(^|: )file too large$|(^|: )File (size limit exceeded|too large)\b`)
)

// reached is the error of a limit that a line tells of; nil: of none.
func (l limits) reached(script, line string) *limitError {
	switch {
	case outOfMemory.MatchString(line) && l.memory == 0:
		return &limitError{script + " got no memory: the machine has none left: make the chart and its values smaller, or raise the memory limit of the operator's pod"}
	case outOfMemory.MatchString(line):
		return exceeded(script+" needs more memory than one process may have", "OPERATOR__SCRIPTMEMORY", l.memory)
	case fileTooLarge.MatchString(line) && l.fileSize > 0:
		return exceeded(script+" makes a file that is larger than one may be", "OPERATOR__SCRIPTFILESIZE", l.fileSize)
	}
	return nil
}

func exceeded(what, setting string, limit int64) *limitError {
	return &limitError{fmt.Sprintf("%s (%s is %s): make the chart or its values smaller, or raise the setting", what, setting, config.FormatMemory(limit))}
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
		return errors.New(text)
	}
	return err
}

// sigXFSZ is the signal of a program that makes a file too large, which a shell adds to 128.
const sigXFSZ = 25

// tail keeps the end of what a script wrote to stderr: why it failed.
type tail struct{ lines []string }

// The first error counts most, and much may follow it: kubectl adds ten lines of advice to a conflict, and of an immutable Job it
// shows all of its template.
const (
	tailLines = 200
	tailBytes = 64 << 10
)

func (r *tail) add(line exec.Line) {
	// Helm 4 logs what its Error then says again, and both tools log what goes on inside them.
	helmLog := strings.HasPrefix(line.Text, "level=") || klogLine.MatchString(line.Text)
	if line.Stream != "stderr" || helmLog || strings.TrimSpace(line.Text) == "" {
		return
	}
	if r.lines = append(r.lines, line.Text); len(r.lines) > tailLines {
		r.lines = r.lines[1:]
	}
}

// klogLine is how Kubernetes' client library logs: E1123 11:35:18.625841    4711 request.go:1198] …
var klogLine = regexp.MustCompile(`^[EWI][0-9]{4} [0-9:.]+ +[0-9]+ `)

func (r *tail) text() string {
	text := strings.Join(r.lines, "\n")
	return strings.ToValidUTF8(text[max(0, len(text)-tailBytes):], "")
}
