package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/hub"
)

func handleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "handle CALLBACK [FILE|-]",
		Short: "Carry out one event, without a controller",
		Long: `Carries out one event in the current cluster, as the daemon would, and says how it ended.

CALLBACK is one of ` + strings.Join(hub.Callbacks[:3], ", ") + `,
` + strings.Join(hub.Callbacks[3:], ", ") + ` (with or without Async).
FILE holds its arguments as JSON: one argument as it is, several as an array. It may also be the event.json of a
run, but secret values were removed from that when the run ended. Without FILE, or with -, it is read from standard
input. What would be reported to the controller is logged. Its state directory must not be that of a running daemon.`,
		Example: `  octo-operator handle WorkloadDeployed event.json
  echo '["acme", "65d5c447b420da3fb12381bc"]' | octo-operator handle PoolUndeployed`,
		Annotations: map[string]string{exitCodes: `0  the event has succeeded
1  it has failed, or could not be carried out; standard error says why`},
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error { return handleOnce(args[0], args[1:]) },
	}
}

// handleOnce carries out one event as the daemon does.
func handleOnce(callback string, file []string) error {
	event, err := readEvent(callback, file)
	if err != nil {
		return err
	}
	return withHandlers(false, func(_ context.Context, h *handlers.Handlers) error {
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
