package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/handlers/release"
	"octo-operator/hub"
	"octo-operator/text"
)

// exitChanges is the exit code of "plan" if something would change.
const exitChanges = 2

func planCommand() *cobra.Command {
	var run, format string
	cmd := &cobra.Command{
		Use:   "plan [FILE|-]",
		Short: "Show what a deploy would change and restart, or why it would be refused, without deploying",
		Long: `Shows what a WorkloadDeployed event would do: helm's action (install, upgrade, nothing), what would be refused and why, which
pods would be replaced, which of the chart's hooks would run, each value with its layer, and for each object a diff between the
live object and the one after the deploy.

FILE holds the event's argument as JSON. Without FILE, or with -, it is read from standard input. With --run it is the event of
a run, named as for "runs show", with the chart of that run. Secret values, which were removed when the run ended, are taken
from the cluster.

It does what a deploy does, up to its dry run: it pulls and renders the chart, merges the values, and lets the API server check
each object, with the rights of the tenant's account if there is one. Nothing is changed in the cluster, and helm's hooks do
not run. It works in a temporary directory in the state directory, and can be run beside the daemon; while helm works there on
the same release, it only says which run that is.`,
		Example: `  octo-operator plan event.json
  kubectl exec -i deploy/communication-operator -- octo-operator plan < event.json
  octo-operator runs show Shop -o json | jq .event >event.json      # an event to start with
  octo-operator plan --run 5aab46 -o json | jq -r .summary`,
		Annotations: map[string]string{exitCodes: `0  nothing would change
1  the deploy would be refused, or nobody knows what it would do
2  something would change`},
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return plan(args, run, format) },
	}
	cmd.Flags().StringVar(&run, "run", "", "the event of this run: ID or RELEASE")
	cmd.Flags().StringVarP(&format, "output", "o", "", "json")
	return cmd
}

func plan(file []string, run, format string) error {
	switch {
	case format != "" && format != "json":
		return fmt.Errorf("cannot print a plan as %q: -o is json", format)
	case run != "" && len(file) > 0:
		return errors.New("cannot plan two events: --run goes without FILE")
	}
	event, planned, err := plannedEvent(file, run)
	if err != nil {
		return err
	}
	chart := ""
	if planned != nil && planned.Has("chart.tgz") {
		chart = planned.Path("chart.tgz")
	}
	p, err := preview(event, chart)
	if err != nil {
		return err
	}
	if store, err := storeToRead(); err == nil { // after an error no operator works here
		if err := besideRuns(&p, store, planned, time.Now()); err != nil {
			return err
		}
	}
	if format == "json" {
		err = printJSON(os.Stdout, p)
	} else {
		to := bufio.NewWriter(os.Stdout)
		printPlan(to, p)
		err = to.Flush()
	}
	switch {
	case err != nil:
		return err
	case p.Refused != "":
		line, _, _ := strings.Cut(p.Refused, "\n")
		return errors.New("the deploy would be refused: " + line)
	case p.Changing:
		return &ExitError{exitChanges, errors.New("something would change")}
	}
	return nil
}

// plannedEvent returns the event to plan, and its run; nil: it comes from no run.
func plannedEvent(file []string, run string) (hub.Event, *runs.Run, error) {
	if run == "" {
		event, err := readEvent(hub.WorkloadDeployedCallback, file)
		return event, nil, err
	}
	_, found, err := findRun(run)
	if err != nil {
		return hub.Event{}, nil, err
	}
	event, err := found.Event()
	return event, found, err
}

// preview finds out what an event would do, in a directory of its own.
func preview(event hub.Event, chart string) (p release.Preview, err error) {
	err = withHandlers(true, func(ctx context.Context, h *handlers.Handlers) error {
		p, err = h.Plan(ctx, event, chart)
		return err
	})
	return p, err
}

// printPlan prints a plan for people.
func printPlan(to io.Writer, p release.Preview) {
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(to, "%-10s %s\n", what, text.Printable(value))
		}
	}
	line("release", p.Release)
	line("namespace", p.Namespace)
	line("chart", strings.TrimSpace(p.Chart+" "+p.Version))
	line("helm", cmp.Or(p.Action, "not run: the deploy would be refused"))
	line("changes", cmp.Or(p.Summary, "not known"))
	printPart(to, "REFUSED", p.Refused, 0, "")
	var restarts, values []string
	for _, r := range p.Restarts {
		restarts = append(restarts, r.Workload+": "+r.Why)
	}
	printPart(to, "NEW PODS", strings.Join(restarts, "\n"), 0, "")
	printPart(to, "HOOKS, NOT RUN", strings.Join(p.Hooks, "\n"), 0, "")
	notes := slices.Clone(p.Notes)
	for _, v := range p.Values {
		if note := fmt.Sprintf("the chart knows no %s: is it misspelled?", v.Unknown); v.Unknown != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	printPart(to, "NOTES", strings.Join(notes, "\n"), 0, "")
	for _, v := range p.Values {
		values = append(values, fmt.Sprintf("%-10s %s = %s", v.Layer, v.Path, text.Shown(fmt.Sprint(v.Value))))
	}
	for _, l := range p.LeftOut {
		values = append(values, fmt.Sprintf("%-10s %s: left out: %s", l.Layer, l.Path, l.Reason))
	}
	printPart(to, "VALUES", strings.Join(values, "\n"), 0, "")
	if _, diffs, _ := strings.Cut(p.Diff, "\n"); p.Diff != "" { // the first line is the summary
		printPart(to, "DIFF", strings.TrimLeft(diffs, "\n"), 0, "")
	}
}
