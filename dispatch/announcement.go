package dispatch

import (
	"crypto/rand"

	"strings"

	"octo-operator/exec"
)

// announcements tell the commands that a script announces from everything else on its stderr. Each run of a script has a mark of its
// own, in the variable OCTO_ANNOUNCE: a chart or a repository can make helm print any line, and a fixed mark would let it put commands
// that never ran into the log.
type announcements struct{ mark string }

// announceVariable is not among the inputs that rerun repeats: in a terminal the commands begin with a plain plus.
const announceVariable = "OCTO_ANNOUNCE="

func newAnnouncements() announcements { return announcements{"+" + rand.Text() + " "} }

func (a announcements) variable() string { return announceVariable + strings.TrimSpace(a.mark) }

// command is the command that line announces, if it does.
func (a announcements) command(line exec.Line) (string, bool) {
	if line.Stream != "stderr" {
		return "", false
	}
	return strings.CutPrefix(line.Text, a.mark)
}
