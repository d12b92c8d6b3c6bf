package dispatch

import (
	"fmt"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/text"
)

// limits of a script, in bytes; 0: none. Charts and repositories may come from anybody: without limits a one-line template makes helm take 4 GiB,
// and then the whole container is killed.
type limits struct {
	memory   int64 // of each process: OPERATOR__SCRIPTMEMORY
	fileSize int64 // of each file: OPERATOR__SCRIPTFILESIZE
	output   int64 // of all that it writes to stdout and stderr: OPERATOR__SCRIPTOUTPUT
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
	outOfMemory  = text.NewPattern(`^(fatal error: (runtime: )?(out of memory|cannot allocate memory)|runtime: (out of memory|cannot allocate memory))|[Cc]annot allocate memory$|: [Oo]ut of (memory|space)$`)
	fileTooLarge = text.NewPattern(`(^|: )file too large$|(^|: )File (size limit exceeded|too large)\b`)
)

// reached is the limit that a line of a script's output says was reached; nil: none.
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

// sigXFSZ is the signal of a program that makes a file too large, which a shell adds to 128.
const sigXFSZ = 25
