package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"octo-operator/handlers"
	"octo-operator/hub"
)

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

func printValues(file []string, explain, noChart bool) error {
	return withEvent(hub.WorkloadDeploy, file, func(ctx context.Context, h *handlers.Handlers, event hub.Event) error {
		return h.PrintValues(ctx, os.Stdout, event, explain, !noChart)
	})
}
