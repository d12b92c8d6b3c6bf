package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"octo-operator/handlers"
)

func versionCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the versions of octo-operator, helm and kubectl", Args: cobra.NoArgs,
		Long:    `Prints the versions of octo-operator and of the helm and kubectl that it would run: those on PATH.`,
		Example: `  kubectl exec deploy/communication-operator -- octo-operator version`,
		Annotations: map[string]string{exitCodes: `0  done
1  helm or kubectl cannot be run`},
		RunE: func(*cobra.Command, []string) error {
			fmt.Println("octo-operator", version)
			return handlers.PrintToolVersions(os.Stdout, os.Environ())
		},
	}
}
