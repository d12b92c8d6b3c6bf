package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"octo-operator/config"
	"octo-operator/doctor"
)

func doctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that the operator has all that it needs",
		Long: `Checks the settings, helm and kubectl, memory and disk, the cluster and each permission in it, namespaces, CRDs,
webhooks and their certificate, the leader, the controller and its token, and the chart repositories of the last deploys.
It prints a line for each, and below it what to do if something is wrong.

It changes nothing and does not register at the controller, so it can be run beside the daemon. In the daemon's pod it has
its settings; elsewhere it uses those of the environment, and kubectl's current context. It takes at most 20 s, even if
something does not answer.

  ok    in order
  warn  the operator works, and somebody should look at it
  FAIL  something will not work
  skip  it cannot be checked from here, or there is nothing to check`,
		Example: `  kubectl exec deploy/communication-operator -- octo-operator doctor
  octo-operator doctor -o json | jq -r '.findings[] | select(.mark == "fail") | .check + ": " + .found'`,
		Annotations: map[string]string{
			exitCodes: `0  nothing failed; there may be warnings
1  something failed`,
			environment: "the daemon's settings, OPERATOR__… and KESTREL__…; docs/settings.md lists them",
		},
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return examine(output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, or json for programs")
	return cmd
}

func examine(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("cannot write %q: -o is text or json", output)
	}
	ctx, stop := untilSignal() // without it kubectl proxy would outlive the program
	defer stop()
	settings, wrong := config.Load(os.Environ())
	var show func(doctor.Finding)
	if output == "text" {
		colours := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
		show = func(f doctor.Finding) { doctor.WriteText(os.Stdout, f, colours) }
	}
	all := doctor.Examine(ctx, doctor.Operator{Settings: settings, Wrong: wrong, Environ: os.Environ()}, show)
	if output == "json" {
		if err := all.WriteJSON(os.Stdout); err != nil {
			return err
		}
	} else {
		fmt.Println(all.Summary())
	}
	if all.Failed > 0 {
		return fmt.Errorf("%d checks failed", all.Failed)
	}
	return nil
}
