package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"octo-operator/handlers"
	"octo-operator/hub"
)

func valuesCommand() *cobra.Command {
	var o valuesOptions
	cmd := &cobra.Command{
		Use:   "values [FILE|-]",
		Short: "Print the merged values document of a WorkloadDeployed event, or where each value comes from",
		Long: `Prints the values document that helm would get for a WorkloadDeployed event: the settings of this
operator, the event's valuesYaml and its overrides, merged. Nothing is deployed and no secret is printed.

FILE holds the event's argument as JSON, or is a run's event.json. Without FILE, or with -, it is read from
standard input. With --run it is the event of a run. The chart is pulled, since it says of which type an override is.

With --explain it prints for each value, instead: its path, the layer that it comes from, its type and the
value; below it, from which text it was coerced and why, and after a dash what it has replaced, the newest
first. What the operator would add of its own and the chart does not take comes last. The layers, lowest first:

  chart       the chart's default, in its values.yaml
  context     what the operator knows from its own settings
  valuesYaml  the document that came with the event
  injected    credentials that the operator adds
  values      the event's own overrides, the later over the earlier
  pinned      the number of replicas, if the operator decides it

--path explains one value or what is below a map or a list, with the chart's defaults there that nothing
replaces. Long values are cut; -o json has them whole, and all fields. What a secret has replaced is masked.`,
		Example: `  octo-operator values event.json
  kubectl exec deploy/communication-operator -- octo-operator values --explain --run Shop
  octo-operator values --path image.tag event.json
  octo-operator values --path 'ingress.annotations.example\.com/owner' --no-chart event.json
  octo-operator values --explain -o json event.json`,
		Annotations: map[string]string{exitCodes: `0  done
1  the values cannot be merged, the chart cannot be had, or nothing is at the path`},
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return printValues(args, o) },
	}
	cmd.Flags().BoolVar(&o.explain, "explain", false, "print where each value comes from instead")
	cmd.Flags().StringVar(&o.path, "path", "", "explain what is at this path alone, as in helm --set: a.b[0].c")
	cmd.Flags().StringVar(&o.run, "run", "", "the event of this run: ID, RELEASE or the workload's name, as runs show takes it")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "of an explanation: text or json")
	cmd.Flags().BoolVar(&o.noChart, "no-chart", false, "do not pull the chart: overrides without a target in the event stay strings")
	return cmd
}

type valuesOptions struct {
	explain, noChart bool
	path, output     string
	run              string
}

func printValues(file []string, o valuesOptions) error {
	explain := o.explain || o.path != ""
	switch {
	case o.output != "text" && o.output != "json":
		return fmt.Errorf("cannot print values as %q: -o takes text or json", o.output)
	case o.output == "json" && !explain:
		return errors.New("cannot print the document as JSON: use -o json with --explain or --path")
	case o.run != "" && len(file) > 0:
		return errors.New("cannot merge the values of two events: --run goes without FILE")
	}
	event, err := valuesEvent(file, o.run)
	if err != nil {
		return err
	}
	return withHandlers(true, func(ctx context.Context, h *handlers.Handlers) error {
		if explain {
			return h.ExplainValues(ctx, os.Stdout, event, o.path, o.output == "json", !o.noChart)
		}
		return h.PrintValues(ctx, os.Stdout, event, !o.noChart)
	})
}

// valuesEvent returns the event of a run, if it is a deploy, or that in the file.
func valuesEvent(file []string, run string) (hub.Event, error) {
	if run == "" {
		return readEvent(hub.WorkloadDeployedCallback, file)
	}
	_, found, err := findRun(run)
	if err != nil {
		return hub.Event{}, err
	}
	event, err := found.Event()
	if err == nil && event.Callback != hub.WorkloadDeployedCallback {
		err = fmt.Errorf("run %s is no %s, but a %s", found.RandomEnd(), hub.WorkloadDeployedCallback, event.Callback)
	}
	return event, err
}
