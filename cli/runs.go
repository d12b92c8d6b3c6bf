package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/hub"
)

// runsFlags are the flags of "runs".
type runsFlags struct {
	failed, running, follow           bool
	tenant, release, callback, format string
	since                             time.Duration
	most                              int
}

func runsCommand() *cobra.Command {
	var f runsFlags
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the runs: how each event has ended, the newest first",
		Long: `Lists the runs of the operator in this pod or on this machine, the newest first. A run is an event of the controller that
is being carried out, or was. It only reads the state directory, beside the daemon, and prints no secrets.

OUTCOME is running, waiting (for a slot, for pods, for the next try: REASON says for what), succeeded, failed or
superseded (a newer event has replaced it). TOOK is how long it ran, or how long ago it came if it has not ended.
WORKLOAD is the name at the controller. ID is enough for "runs show". REASON is cut to the terminal's width; -o wide
and a pipe have its whole first line.

Each operator knows only its own runs: with two replicas look in the leader's pod, which
kubectl get lease names. The daemon keeps the newest 100 runs that have ended, and those of the failures of the last 24 hours.`,
		Example: `  kubectl exec deploy/communication-operator -- octo-operator runs
  octo-operator runs --failed --since 2h
  octo-operator runs --release acme-65d5c447b420da3fb12381c1 -o json
  octo-operator runs --follow acme-65d5c447b420da3fb12381c1     # as runs show --follow`,
		Annotations: map[string]string{
			exitCodes: `0  done
1  the runs cannot be read
With --follow they are those of runs show.`,
			files: "/var/lib/octo-operator/runs/*/  a directory for each run; OPERATOR__STATEDIR/runs/*/ if that is set",
		},
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case f.follow && len(args) == 1:
				return followRun(args[0])
			case f.follow:
				return fmt.Errorf("cannot follow: name a run, by its id or its release")
			case len(args) == 1:
				return fmt.Errorf("runs lists all: did you mean octo-operator runs show %s?", args[0])
			}
			return listRuns(f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.failed, "failed", false, "only those that have failed")
	flags.BoolVar(&f.running, "running", false, "only those that have not ended: they run or wait")
	flags.StringVar(&f.tenant, "tenant", "", "only those of a tenant")
	flags.StringVar(&f.release, "release", "", "only those of a release, workload or pool: by name or runtime id")
	flags.StringVar(&f.callback, "callback", "", "only those of a callback, such as WorkloadDeployed")
	flags.DurationVar(&f.since, "since", 0, "only those that came in the last 2h, 30m, …")
	flags.IntVarP(&f.most, "number", "n", 20, "how many at most; 0: all")
	flags.StringVarP(&f.format, "output", "o", "", "wide or json")
	flags.BoolVar(&f.follow, "follow", false, "follow the run with this id, or the newest one of this release, to its end")
	cmd.AddCommand(runsShowCommand(), runsRerunCommand())
	return cmd
}

func listRuns(f runsFlags) error {
	filter, err := f.filter(time.Now())
	if err != nil {
		return err
	}
	store, err := storeToRead()
	if err != nil {
		return err
	}
	list, more, err := story.List(store, filter, time.Now())
	if err != nil {
		return err
	}
	if f.format == "json" {
		return printJSON(os.Stdout, list)
	}
	if len(list) == 0 {
		fmt.Fprintf(os.Stderr, "no such runs in %s: where several operators run, those of the leader are in its pod (kubectl get lease names it)\n", store.Dir())
		return nil
	}
	printList(os.Stdout, list, time.Now(), f.format == "wide", terminalWidth(os.Stdout))
	if more {
		fmt.Fprintf(os.Stderr, "there are more than these %d: -n 0 lists all\n", len(list))
	}
	return nil
}

// filter returns the filter that the flags ask for.
func (f runsFlags) filter(now time.Time) (story.Filter, error) {
	if f.format != "" && f.format != "json" && f.format != "wide" {
		return story.Filter{}, fmt.Errorf("cannot print runs as %q: -o is wide or json", f.format)
	}
	if f.most < 0 || f.since < 0 {
		return story.Filter{}, fmt.Errorf("cannot list runs: -n and --since are not negative")
	}
	callback, err := callbackNamed(f.callback)
	filter := story.Filter{Failed: f.failed, Unfinished: f.running, Callback: callback, Tenant: f.tenant, Release: f.release, Most: f.most}
	if f.since > 0 {
		filter.Since = now.Add(-f.since)
	}
	return filter, err
}

// callbackNamed returns the callback that a person has typed, with or without Async, in any case; "" stays "".
func callbackNamed(typed string) (string, error) {
	if typed == "" {
		return "", nil
	}
	name := strings.TrimSuffix(strings.ReplaceAll(strings.ToLower(typed), "-", ""), "async")
	for _, callback := range hub.Callbacks {
		if strings.EqualFold(callback, name) {
			return callback, nil
		}
	}
	return "", fmt.Errorf("callback %q is not known: known are %s", typed, strings.Join(hub.Callbacks, ", "))
}

// storeToRead opens the state directory of the daemon that works here.
func storeToRead() (*runs.Store, error) {
	settings, _ := config.Load(os.Environ()) // the daemon reports what is wrong with other settings
	return runs.OpenToRead(settings.StateDir)
}

// findRun returns the run that a person means, by its id or release.
func findRun(what string) (*runs.Store, *runs.Run, error) {
	store, err := storeToRead()
	if err != nil {
		return nil, nil, err
	}
	run, err := story.Find(store, what)
	return store, run, err
}
