package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/exec"
	"octo-operator/handlers/release"
	"octo-operator/text"
)

func runsRerunCommand() *cobra.Command {
	var force, dryRun bool
	cmd := &cobra.Command{
		Use:   "rerun ID|RELEASE",
		Short: "Run the last script of a run again, with the same inputs",
		Long: `Runs the last script of a run that has ended again, in its run directory and with the same inputs, such as chart and
values. It changes the cluster, as the run did. It says what it does before it begins.

Only the script is run, not the whole event: the controller is told nothing, nobody waits for the pods, nothing is rolled
back if it fails, and until the next deploy the operator treats the new revision as one that has not worked yet.
Secret values were removed when the run ended: a deploy uses the release's Secret as it is in the cluster now, and says so
if there is none. To repeat the whole event, send it again from the controller.

It refuses if the run has not ended, if files that the script needs are gone, and if another run of the same release or
pool has not ended. --force overrides the last of these.`,
		Example: `  octo-operator runs rerun --dry-run 5aab46
  octo-operator runs rerun 5aab46`,
		Annotations: map[string]string{exitCodes: `0  the script has succeeded
1  it was not run
2  it has failed`},
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return rerun(os.Stdout, os.Stderr, args[0], force, dryRun)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "run it although another run of the release or pool has not ended")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what it would do")
	return cmd
}

func rerun(stdout, stderr io.Writer, what string, force, dryRun bool) error {
	ctx, stop := untilSignal()
	defer stop()
	store, run, err := findRun(what)
	if err != nil {
		return err
	}
	s := story.Read(run, time.Now())
	if s.NoRerun != "" {
		return fmt.Errorf("cannot run %s again: %s", s.ShortID, text.Printable(s.NoRerun))
	}
	others, err := story.SameLane(store, run)
	if err != nil {
		return err
	}
	for _, other := range others {
		if !other.Has("result.json") && !force {
			return fmt.Errorf("cannot run %s again: run %s of the same release or pool has not ended: follow it with octo-operator runs --follow %s, "+
				"or use --force if you know that no operator works on it", s.ShortID, other.ShortID(), other.RandomEnd())
		}
	}
	announceRerun(stdout, s, run)
	if len(others) > 0 && others[0].ID > run.ID {
		fmt.Fprintf(stdout, "%-12s run %s of the same release or pool: what it has done may be undone\n", "newer:", text.Printable(others[0].ShortID()))
	}
	if dryRun {
		return nil
	}
	if err := runAgain(ctx, run, stdout, stderr); err != nil {
		return &ExitError{exitFailed, fmt.Errorf("the step has failed: %w", err)}
	}
	return nil
}

// announceRerun says what will be run and where.
func announceRerun(to io.Writer, s story.Story, run *runs.Run) {
	inputs := story.Inputs(run)
	fmt.Fprintf(to, "runs again:  %s\nof:          %s %s, %s\n", text.Printable(story.LastStep(run)), s.Callback, text.Printable(s.ShortID), s.Outcome)
	for _, part := range [][2]string{{"release", s.Release}, {"namespace", s.Namespace}, {"tenant", s.Tenant}} {
		if part[1] != "" {
			fmt.Fprintf(to, "%-12s %s\n", part[0]+":", text.Shown(part[1]))
		}
	}
	if secret := inputs["OCTO_SECRET"]; secret != "" {
		fmt.Fprintf(to, "%-12s %s, as the cluster has it now\n", "secret:", text.Shown(secret))
	}
	fmt.Fprintf(to, "%-12s %s\n", "in:", text.Printable(run.Dir))
}

// rendered are files in which a script writes a chart's Secrets again. The operator removed them from these files when the run ended.
var rendered = []string{release.ManifestFile, release.HookSecretsFile}

// runAgain runs the file rerun, with those variables of the environment that the operator's scripts get.
func runAgain(ctx context.Context, run *runs.Run, stdout, stderr io.Writer) (err error) {
	for _, name := range rendered {
		before, readErr := os.ReadFile(run.Path(name))
		defer func() {
			again := run.Remove(name)
			if readErr == nil {
				again = run.Write(name, before)
			}
			err = errors.Join(err, again)
		}()
	}
	env := exec.AllowEnv(os.Environ(), exec.DefaultEnv...)
	for i, variable := range env {
		if home, is := strings.CutPrefix(variable, "HOME="); is {
			env[i] = "HOME=" + runs.Home(home, filepath.Dir(filepath.Dir(run.Dir)))
		}
	}
	var mu sync.Mutex
	_, err = exec.Run(ctx, exec.Command{
		// The file itself is not executed, because some file systems do not allow that.
		Path: "/bin/sh", Args: []string{run.Path("rerun")}, Name: run.Path("rerun"), Dir: run.Dir, Env: env,
		OnLine: func(line exec.Line) {
			mu.Lock()
			defer mu.Unlock()
			to := stdout
			if line.Stream == "stderr" {
				to = stderr
			}
			fmt.Fprintln(to, text.Printable(line.Text))
		},
	})
	return err
}
