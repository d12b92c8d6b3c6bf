package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"octo-operator/config"
)

func logLevelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "log-level LEVEL", Short: "Change the level of the running operator's log", Args: cobra.ExactArgs(1),
		Long: `Changes the log level of the operator in this pod or on this machine to LEVEL: trace, debug, info, warn, error, fatal or
off. Nothing is restarted. The level holds until it is changed again, or until the operator ends: then
OPERATOR__LOGLEVEL counts again. At debug each line of helm's and kubectl's output is logged.`,
		Example: `  kubectl exec deploy/communication-operator -- octo-operator log-level debug`,
		Annotations: map[string]string{
			exitCodes: `0  the level has changed
1  it has not; standard error says why`,
			environment: "KESTREL__ENDPOINTS__HTTP__URL  the operator's address, which is used over loopback",
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, _ := config.Load(os.Environ()) // the address can be used even if another setting is wrong
			if err := changeLogLevel(cmd.Context(), settings.HTTPAddress, args[0]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the operator logs from "+args[0]+" on")
			return nil
		},
	}
}

// levelTime bounds the operator's answer.
const levelTime = 10 * time.Second

// changeLogLevel sends the request of package web to the operator that listens at an address.
func changeLogLevel(ctx context.Context, listening, level string) error {
	ctx, cancel := context.WithTimeout(ctx, levelTime)
	defer cancel()
	query := url.Values{"minLogLevel": {level}, "maxLogLevel": {"Off"}}
	address := config.Dialled(listening)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/system/v1/diagnostics/reconfigureLogLevel?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("cannot change the log level: %w", err)
	}
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(request) // without a proxy, through which the request would not come from loopback
	if err != nil {
		return fmt.Errorf("cannot change the log level: no operator answers at %s: run this where it runs, with its KESTREL__ENDPOINTS__HTTP__URL: %w", address, err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return errors.New("cannot change the log level: " + plainText(strings.TrimSpace(strings.TrimPrefix(string(why), "minLogLevel: "))))
}
