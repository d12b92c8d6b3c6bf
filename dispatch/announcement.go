package dispatch

import (
	"crypto/rand"
	"strings"

	"octo-operator/exec"
)

// announcements tells the commands that a script announces on its stderr from everything else there. Each time a script runs it gets a mark
// of its own in the variable OCTO_ANNOUNCE: a chart or a repository can make helm print any line, and with a fixed mark could put commands
// that never ran into the log.
type announcements struct{ mark string }

// announceVariable is not among the inputs of rerun: in a terminal the announced commands begin with a plain plus.
const announceVariable = "OCTO_ANNOUNCE="

func newAnnouncements() announcements { return announcements{"+" + rand.Text() + " "} }

func (a announcements) variable() string { return announceVariable + strings.TrimSpace(a.mark) }

// command is the command that a line announces; false: it announces none.
func (a announcements) command(line exec.Line) (string, bool) {
	if line.Stream != "stderr" {
		return "", false
	}
	return strings.CutPrefix(line.Text, a.mark)
}
