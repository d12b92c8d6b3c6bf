// Octo-operator deploys the workloads of an OctoMesh Communication Controller with helm and kubectl.
//
// Without a command, or with "run", it is the daemon (daemon.go, readiness.go, log.go). The other commands are for people (handle,
// values, version) and for scripts (look).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/handlers/release"
	"octo-operator/hub"
)

// version is set by the build.
var version = "dev"

func main() {
	hideSecrets()
	if err := command().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "octo-operator:", err)
		os.Exit(1)
	}
}

// hideSecrets protects this process' environment and memory from other processes with the same user id. Among these are the programs that
// it starts: helm, kubectl, and scripts that somebody has put in place of its own.
func hideSecrets() {
	// No core dumps, which would hold secrets. helm and kubectl inherit the limit. Lowering a limit cannot fail.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// Makes root the owner of /proc/PID/environ and mem, and forbids tracing. The programs that it starts do not inherit this.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT.
func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "octo-operator",
		Short: "Deploys the workloads of an OctoMesh Communication Controller with helm and kubectl",
		Long: `octo-operator connects to an OctoMesh Communication Controller and deploys, undeploys and updates
what it is told to, by running scripts that run helm and kubectl.

Without a command it runs as the daemon (octo-operator run). All settings are environment variables
named OPERATOR__…; README.md lists them. It finds the cluster as kubectl does: KUBECONFIG, or the pod it runs in.`,
		Args: cobra.NoArgs, RunE: run, SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(runCommand(), handleCommand(), valuesCommand(), versionCommand(), lookCommand())
	return root
}

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Short: "Run the daemon (the default)", Args: cobra.NoArgs, RunE: run,
		Long: `Connects to OPERATOR__COMMUNICATIONCONTROLLERURI and serves its callbacks until SIGTERM or SIGINT.
What was accepted and not finished by then is on disk, in OPERATOR__STATEDIR, and resumed at the next start.`,
	}
}

func handleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "handle CALLBACK [FILE|-]",
		Short: "Run one callback once, without a controller",
		Long: `Runs one callback once against the current cluster, as the daemon would, and exits 0 or 1.

CALLBACK is one of ` + strings.Join(hub.Callbacks, ", ") + ` (with or without Async).
FILE holds its arguments as JSON: one argument as it is, several as an array. Without FILE, or with -, they
are read from standard input. What would be reported to the controller is logged.`,
		Example: `  octo-operator handle WorkloadDeployed event.json
  echo '["acme", "65d5c447b420da3fb12381bc"]' | octo-operator handle PoolUndeployed`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error { return handleOnce(args[0], args[1:]) },
	}
}

func valuesCommand() *cobra.Command {
	var explain, noChart bool
	cmd := &cobra.Command{
		Use:   "values [FILE|-]",
		Short: "Print the merged values document of a WorkloadDeployed event",
		Long: `Prints the values document that helm would get for a WorkloadDeployed event: the settings of this
operator, the event's ValuesYaml and its overrides, merged. Nothing is deployed and no secret is printed.

FILE holds the event's argument as JSON. Without FILE, or with -, it is read from standard input.
The chart is pulled, since it says of which type an override is.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return printValues(args, explain, noChart) },
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "print where each value comes from instead")
	cmd.Flags().BoolVar(&noChart, "no-chart", false, "do not pull the chart: overrides without a target in the event stay strings")
	return cmd
}

// lookCommand is called by the script workload-deploy, not by people.
func lookCommand() *cobra.Command {
	return &cobra.Command{
		Use: "look FILE", Hidden: true, Args: cobra.ExactArgs(1),
		Short: "Refuse a rendered manifest that would touch other releases or the operator",
		RunE: func(_ *cobra.Command, args []string) error {
			return release.Look(os.Environ(), args[0])
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of octo-operator, helm and kubectl", Args: cobra.NoArgs,
		Long: `Prints the versions of octo-operator and of the helm and kubectl that it would run: those on PATH.
Exits 1 when one of them cannot be run.`,
		RunE: func(*cobra.Command, []string) error {
			fmt.Println("octo-operator", version)
			return handlers.PrintToolVersions(os.Stdout, os.Environ())
		},
	}
}

// load reads the settings, creates the log and writes warnings about the settings there. The settings and the log can be used even if the
// error is not nil; the error says why nothing may be deployed with these settings.
func load(logTo *os.File) (config.Config, *slog.Logger, error) {
	settings, err := config.Load(os.Environ())
	log := newLogger(settings, logTo)
	for _, warning := range settings.Warnings {
		log.Warn("check the settings", "reason", warning)
	}
	if len(settings.Ignored) > 0 {
		log.Info("settings without effect here: README.md says why", "names", strings.Join(settings.Ignored, " "))
	}
	return settings, log, err
}

// withEvent prepares the handlers as the daemon does, and calls work with one event. ctx ends with SIGTERM or SIGINT.
func withEvent(callback string, file []string, work func(context.Context, *handlers.Handlers, hub.Event) error) error {
	ctx, stop := untilSignal()
	defer stop()
	settings, log, err := load(os.Stderr)
	if err != nil {
		return err
	}
	settings.AutoManagePools = true // edge mode would ignore the pool events that a person has asked for
	event, err := readEvent(callback, file)
	if err != nil {
		return err
	}
	h, err := handlers.New(ctx, settings, os.Environ(), logController{log}, log)
	if err != nil {
		return err
	}
	defer h.Wait()
	return work(ctx, h, event)
}

// handleOnce carries out one event in the same way as the daemon.
func handleOnce(callback string, file []string) error {
	return withEvent(callback, file, func(_ context.Context, h *handlers.Handlers, event hub.Event) error {
		var result runs.Result
		if err := h.Accept(event, func(r runs.Result) { result = r }); err != nil {
			return err
		}
		h.Wait()
		if result.Outcome != runs.Succeeded {
			return fmt.Errorf("%s failed: %s", event.Callback, result.Reason)
		}
		return nil
	})
}

func printValues(file []string, explain, noChart bool) error {
	return withEvent(hub.WorkloadDeploy, file, func(ctx context.Context, h *handlers.Handlers, event hub.Event) error {
		return h.PrintValues(ctx, os.Stdout, event, explain, !noChart)
	})
}

// readEvent reads a callback's arguments from a file, or from standard input if there is none or it is "-".
func readEvent(callback string, file []string) (hub.Event, error) {
	read := func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	if len(file) > 0 && file[0] != "-" {
		read = func() ([]byte, error) { return os.ReadFile(file[0]) }
	}
	text, err := read()
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: %w", callback, err)
	}
	var arguments []json.RawMessage
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		err = json.Unmarshal(text, &arguments)
	} else {
		var one json.RawMessage
		err = json.Unmarshal(text, &one)
		arguments = []json.RawMessage{one}
	}
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: they are not JSON: %w", callback, err)
	}
	return hub.ParseEvent(callback, arguments)
}

// logController takes the place of the controller for a command: it logs reports and does nothing else.
type logController struct{ log *slog.Logger }

func (c logController) RegisterPool(hub.Pool)                          {}
func (c logController) UnregisterPool(hub.Pool)                        {}
func (c logController) ReregisterTenant(context.Context, string) error { return nil }
func (c logController) Generation() hub.Generation                     { return 0 }
func (c logController) Withdraw(string, string)                        {}
func (c logController) ReportDeployedState(context.Context, []hub.DeployedPool) error {
	return nil
}

func (c logController) Report(r hub.Report) {
	text, _ := json.Marshal(r.Arguments[0])
	c.log.Info("would be reported to the controller", "method", r.Method, "argument", string(text))
	if r.Delivered != nil {
		r.Delivered(nil)
	}
}
