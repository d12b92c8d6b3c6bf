package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/dispatch/runs/story"
)

func runsShowCommand() *cobra.Command {
	var whole, follow bool
	var format string
	cmd := &cobra.Command{
		Use:   "show ID|RELEASE",
		Short: "Show one run: its outcome and reason, timeline, commands, event, values, changes and output",
		Long: `Shows all that is known of a run. ID is as "runs" lists it, or the longer one in the log, or the name of the run's
directory. RELEASE is the name of a release, a workload or a pool, or a runtime id: the newest run of it is shown.

It shows the reason first, then the timeline with the time that each phase, script and command took, the commands as they
can be pasted into a shell, the event (without secrets, also while it runs), the values, what the deploy has changed, the
end of the output, and the paths of the files. Long parts are cut; a line says which file has the rest.

With --follow a run that has not ended is followed to its end: what happens, and what its scripts print.`,
		Example: `  octo-operator runs show 5aab46
  octo-operator runs show Shop --whole
  octo-operator runs show acme-65d5c447b420da3fb12381c1 -o json
  octo-operator runs show Shop --follow && echo deployed`,
		Annotations: map[string]string{exitCodes: `0  done; with --follow: it has succeeded
1  there is no such run, or it cannot be read; with --follow also: it was interrupted
2  with --follow: it has failed
3  with --follow: it was superseded`},
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if follow {
				if format != "" || whole {
					return errors.New("cannot follow in this form: --follow goes without -o and --whole")
				}
				return followRun(args[0])
			}
			return showRun(args[0], format, whole)
		},
	}
	cmd.Flags().BoolVar(&whole, "whole", false, "print all of the output, not only its end")
	cmd.Flags().BoolVar(&follow, "follow", false, "follow it to its end")
	cmd.Flags().StringVarP(&format, "output", "o", "", "json")
	return cmd
}

func showRun(what, format string, whole bool) error {
	if format != "" && format != "json" {
		return fmt.Errorf("cannot print a run as %q: -o is json", format)
	}
	_, run, err := findRun(what)
	if err != nil {
		return err
	}
	s := story.Read(run, time.Now())
	if format == "json" {
		return printJSON(os.Stdout, s)
	}
	to := bufio.NewWriter(os.Stdout)
	printStory(to, s, time.Now(), whole, terminalWidth(os.Stdout))
	return to.Flush()
}
