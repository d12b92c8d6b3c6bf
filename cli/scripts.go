package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"octo-operator/scripts"
	"octo-operator/scripts/lint"
	"octo-operator/text"
)

func scriptsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scripts",
		Short: "Show which script runs each step here, how it differs from the default, and what is wrong with it",
		Long: `Lists the steps of events with the script that runs each here: the operator's default, or a file in
OPERATOR__SCRIPTSDIR and how many of its lines differ from the default. docs/scripts.md says what a script gets
and must do. Nothing is run or written.`,
		Example: `  octo-operator scripts
  octo-operator scripts diff workload-deploy
  octo-operator scripts show --default workload-deploy >my/workload-deploy
  octo-operator scripts lint my/workload-deploy`,
		Annotations: map[string]string{
			exitCodes: `0  done
1  a script cannot be read, or the operator would not start with the directory`,
			environment: "OPERATOR__SCRIPTSDIR  directory with scripts of your own; not set: there are none",
		},
		Args: cobra.NoArgs,
		RunE: withScripts(func(to io.Writer, dir string, _ []string) error { return listScripts(to, dir) }),
	}
	cmd.AddCommand(scriptsShowCommand(), scriptsDiffCommand(), scriptsLintCommand())
	return cmd
}

// withScripts makes a command that gets the directory of the environment's own scripts; "": there is none.
func withScripts(work func(to io.Writer, dir string, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		settings, _, err := Load(os.Stderr)
		if err != nil {
			return err
		}
		return work(cmd.OutOrStdout(), settings.ScriptsDir, args)
	}
}

func listScripts(to io.Writer, dir string) error {
	all, err := scripts.ServeAll(dir)
	var table strings.Builder
	for _, row := range append([][3]string{{"STEP", "SERVED BY", "FILE"}}, rows(all)...) {
		table.WriteString(strings.TrimRight(fmt.Sprintf("%-17s  %-30s  %s", row[0], row[1], row[2]), " ") + "\n")
	}
	_, failed := io.WriteString(to, table.String())
	return errors.Join(failed, err)
}

func rows(all []scripts.Serving) (rows [][3]string) {
	for _, s := range all {
		rows = append(rows, [3]string{s.Step, servedBy(s), text.Escaped(s.Path)})
	}
	return rows
}

func servedBy(s scripts.Serving) string {
	switch {
	case s.Step == scripts.ChartPull && !s.Own():
		return "the operator, without a script"
	case !s.Own():
		return "the default"
	case s.Text == nil:
		return "own, which cannot be read"
	}
	_, added, removed := scripts.Diff("", "", s.Default, s.Text)
	if added+removed == 0 {
		return "own, same as the default"
	}
	return fmt.Sprintf("own, +%d -%d lines", added, removed)
}

func scriptsShowCommand() *cobra.Command {
	var byDefault bool
	cmd := &cobra.Command{
		Use:   "show STEP",
		Short: "Print the script that runs a step",
		Long: `Prints the script that runs a step here. STEP may also be lib.sh, relay.sh or
check.sh, which the default scripts source. Characters that cannot be printed are written as \u0000.`,
		Example: `  octo-operator scripts show workload-deploy
  octo-operator scripts show --default workload-deploy >my/workload-deploy`,
		Args: cobra.ExactArgs(1),
		RunE: withScripts(func(to io.Writer, dir string, args []string) error { return showScript(to, dir, args[0], byDefault) }),
	}
	cmd.Flags().BoolVar(&byDefault, "default", false, "print the operator's default, even if OPERATOR__SCRIPTSDIR has a file for the step")
	return cmd
}

func showScript(to io.Writer, dir, step string, byDefault bool) error {
	s, err := scripts.Serve(dir, step)
	if err != nil && (s.Default == nil || !byDefault) {
		return err
	}
	shown := s.Text
	if byDefault {
		shown = s.Default
	}
	return printLines(to, string(shown))
}

// printLines prints a text that others have written, without what would move a terminal's cursor.
func printLines(to io.Writer, whole string) error {
	lines := strings.Split(whole, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j := range parts {
			parts[j] = text.Escaped(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
	}
	_, err := io.WriteString(to, strings.Join(lines, "\n"))
	return err
}

func scriptsDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [STEP…]",
		Short: "Print how the scripts of this environment differ from the defaults",
		Long: `Prints how the script that runs a step differs from the operator's default, as a unified diff: lines with a minus
are only in the default. Without STEP it does that for each file in OPERATOR__SCRIPTSDIR that runs a step.`,
		Example: `  octo-operator scripts diff
  octo-operator scripts diff workload-deploy`,
		RunE: withScripts(diffScripts),
	}
}

func diffScripts(to io.Writer, dir string, steps []string) error {
	all, err := scripts.ServeAll(dir)
	if len(steps) > 0 {
		all, err = nil, nil
		for _, step := range steps {
			s, unread := scripts.Serve(dir, step)
			if unread == nil {
				all = append(all, s)
			}
			err = errors.Join(err, unread)
		}
	}
	for _, s := range all {
		if s.Text == nil || len(steps) == 0 && !s.Own() {
			continue
		}
		diff, _, _ := scripts.Diff("default/"+s.Step, text.Escaped(s.Path), s.Default, s.Text)
		if diff == "" {
			diff = s.Step + ": same as the default\n"
		}
		err = errors.Join(err, printLines(to, diff))
	}
	return err
}

func scriptsLintCommand() *cobra.Command {
	var step string
	cmd := &cobra.Command{
		Use:   "lint [FILE…]",
		Short: "Look for mistakes in scripts",
		Long: `Checks scripts and prints a line for each finding: FILE:LINE: what is wrong: what to do. It runs none of them.

Without FILE it checks those in OPERATOR__SCRIPTSDIR that run a step, and those that end in .sh. A file with the
name of a step is checked as its script; --step says so for any file. All others are checked as libraries.

It finds: syntax errors (also by the script's own shell, sh -n); syntax that only bash has; a missing set -eu;
unquoted variables and $(…); OCTO_ variables that the step does not get; variables that are used and never set;
a missing first line, shell, or permission to execute. A comment "# shellcheck disable=SC2086" (or
SC2046, SC2154) above a command switches a check off for it, as for shellcheck.`,
		Example: `  octo-operator scripts lint
  octo-operator scripts lint --step workload-deploy my-deploy
  kubectl exec deploy/communication-operator -- octo-operator scripts lint`,
		Annotations: map[string]string{exitCodes: `0  nothing was found
1  something was found, or a file cannot be read`},
		RunE: func(cmd *cobra.Command, files []string) error {
			if _, err := scripts.Default(step); step != "" && err != nil {
				return fmt.Errorf("cannot use --step: %w", err)
			}
			return withScripts(func(to io.Writer, dir string, files []string) error { return lintScripts(cmd, to, dir, files, step) })(cmd, files)
		},
	}
	cmd.Flags().StringVar(&step, "step", "", "the step that the files serve, whatever they are called")
	return cmd
}

func lintScripts(cmd *cobra.Command, to io.Writer, dir string, files []string, step string) (err error) {
	if len(files) == 0 && dir == "" {
		fmt.Fprintln(to, "no file is named, and OPERATOR__SCRIPTSDIR is not set: the defaults serve every step")
		return nil
	}
	if len(files) == 0 {
		if files, err = scripts.OwnFiles(dir); err != nil {
			return err
		}
		_, err = scripts.ServeAll(dir) // it fails for names with which the operator would not start
	}
	found := 0
	for _, file := range files {
		of := step
		if of == "" {
			of = lint.StepOf(file)
		}
		findings, unread := lint.File(cmd.Context(), file, of)
		err = errors.Join(err, unread)
		for _, f := range findings {
			fmt.Fprintln(to, text.Escaped(fmt.Sprintf("%s:%d: %s: %s", file, f.Line, f.What, f.Do)))
		}
		found += len(findings)
	}
	switch {
	case found > 0:
		return errors.Join(err, fmt.Errorf("%s in %s", counted(found, "finding"), counted(len(files), "script")))
	case err == nil:
		fmt.Fprintln(to, counted(len(files), "script")+", nothing found")
	}
	return err
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
