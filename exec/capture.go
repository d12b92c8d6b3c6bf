package exec

import (
	"context"
	"errors"
	"strings"
)

// Capture runs c and returns its stdout, every line with a \n. It sets c.OnLine. The error is that of Run; an *ExitError has the
// program's stderr. The stderr of a program that succeeds is lost.
//
// Unlike Run, it holds all of the output in memory.
func Capture(ctx context.Context, c Command) (stdout string, err error) {
	var out, reason strings.Builder
	c.OnLine = func(line Line) {
		into := &out
		if line.Stream == "stderr" {
			into = &reason
		}
		into.WriteString(line.Text)
		if !line.More {
			into.WriteByte('\n')
		}
	}
	_, err = Run(ctx, c)
	if exit := (*ExitError)(nil); errors.As(err, &exit) {
		exit.Stderr = strings.TrimSpace(reason.String())
	}
	return out.String(), err
}
