package exec

import (
	"context"
	"errors"
	"strings"
)

// Capture runs c, whose OnLine it takes for itself, and returns what it wrote
// to stdout, every line with a \n. The error is Run's. An *ExitError says
// what the program wrote to stderr; what a successful one wrote there is lost.
//
// All of the output is held in memory, unlike with Run.
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
