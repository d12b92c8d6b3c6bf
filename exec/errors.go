package exec

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StartError says why a program could not be started. It has not run at all.
type StartError struct {
	Path   string // as given in Command.Path
	Reason string // for a person, and what to do
	Err    error  // the system's error, such as fs.ErrNotExist
}

func (e *StartError) Error() string { return "cannot run " + e.Path + ": " + e.Reason }
func (e *StartError) Unwrap() error { return e.Err }

// ExitError says that a program ended by itself with another exit code than 0, or was killed by somebody else.
type ExitError struct {
	Path   string
	Code   int    // -1: killed by a signal
	Signal string // such as "SIGKILL"; "": it exited
	Stderr string // its stderr, if Capture ran it
}

// Error returns the program's stderr if that is known. If the program was killed, stderr cannot explain it, so the signal is named.
func (e *ExitError) Error() string {
	if e.Stderr != "" && e.Signal == "" {
		return e.Stderr
	}
	if e.Signal == "SIGKILL" {
		return "cannot complete " + e.Path + ": killed by SIGKILL from outside (often: out of memory)"
	}
	if e.Signal != "" {
		return "cannot complete " + e.Path + ": killed by " + e.Signal
	}
	return fmt.Sprintf("cannot complete %s: exit code %d%s", e.Path, e.Code, shellMeaning(e.Code))
}

// shellMeaning explains the exit codes that a shell reserves. A program may use them for something else, hence "usually".
func shellMeaning(code int) string {
	switch {
	case code == 126:
		return " (usually: a command in it is not executable)"
	case code == 127:
		return " (usually: a command in it was not found)"
	case code > 128 && unix.SignalName(syscall.Signal(code-128)) != "":
		return " (usually: a command in it was killed by " + unix.SignalName(syscall.Signal(code-128)) + ")"
	}
	return ""
}

// StoppedError says that a program was stopped because its context ended. errors.Is finds context.Canceled or context.DeadlineExceeded in
// it, and the context's cause.
type StoppedError struct {
	Path     string
	After    time.Duration // since its start
	TimedOut bool          // by the context's deadline; false: cancelled by the caller
	Cause    error         // context.Cause of the context
	ctxErr   error
}

func (e *StoppedError) Error() string {
	how := "cancelled"
	if e.TimedOut {
		how = "timed out"
	}
	text := fmt.Sprintf("cannot complete %s: %s after %s", e.Path, how, e.After.Round(100*time.Millisecond))
	if e.Cause != nil && !errors.Is(e.ctxErr, e.Cause) {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *StoppedError) Unwrap() []error { return []error{e.Cause, e.ctxErr} }

func cannotComplete(path string, err error) error {
	return fmt.Errorf("cannot complete %s: %w", path, err)
}

// explainStart names the mistake behind an error of the system, which is "no such file or directory" for four different mistakes. path is
// c.Path, resolved as far as possible.
func explainStart(c Command, path string, err error) *StartError {
	e := &StartError{Path: c.Path, Reason: fmt.Sprint(err), Err: err}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		e.Reason = errno.Error()
	}
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(err, osexec.ErrNotFound):
		e.Reason = "no such command in PATH"
	case errors.Is(statErr, fs.ErrNotExist):
		e.Reason = "no such file"
	case statErr != nil:
		e.Reason = statErr.Error()
	case info.IsDir():
		e.Reason = "it is a directory"
	case missingDir(c.Dir):
		e.Reason = "its working directory " + c.Dir + " does not exist"
	case errno == syscall.ENOENT:
		e.Reason = "its interpreter does not exist: " + firstLine(path)
	case errno == syscall.EACCES && info.Mode()&0o111 == 0:
		e.Reason = "it is not executable: chmod +x " + Quote([]string{c.Path})
	case errno == syscall.EACCES:
		e.Reason = "permission denied for it, its interpreter or its working directory (or mounted noexec)"
	case errno == syscall.ENOEXEC:
		e.Reason = "it is no program for this machine: a script must begin with #!/bin/sh"
	}
	return e
}

func missingDir(dir string) bool {
	if dir == "" {
		return false
	}
	info, err := os.Stat(dir)
	return err != nil || !info.IsDir()
}

// firstLine returns the first line of a script, quoted to show the \r of a Windows editor.
func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadSlice('\n')
	if !strings.HasPrefix(string(line), "#!") {
		return "it is no script, so its loader or a library is missing"
	}
	return fmt.Sprintf("its first line is %q", strings.TrimSuffix(string(line), "\n"))
}
