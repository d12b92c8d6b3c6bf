package handlers

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"octo-operator/hub"
	"octo-operator/journal"
)

var chartName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// checkDeploy refuses what could not work, or could mean something else on a command line.
func checkDeploy(w hub.WorkloadDeployed) error {
	if err := w.Check(); err != nil {
		return err
	}
	repository, err := url.Parse(w.RepositoryURL)
	switch {
	case err != nil || repository.Host == "" || (repository.Scheme != "http" && repository.Scheme != "https" && repository.Scheme != "oci"):
		return fmt.Errorf("repositoryUrl is not an http://, https:// or oci:// URL")
	case w.RepositoryPassword == journal.LostPassword:
		return errors.New("the password of the chart's repository was lost when the operator's pod was replaced: deploy again, and set OPERATOR__AUTHENTICATION__CLIENTSECRET, which seals it")
	case repository.User != nil:
		return fmt.Errorf("repositoryUrl holds credentials: they belong in repositoryUsername and repositoryPassword")
	case !chartName.MatchString(w.ChartName):
		return fmt.Errorf("chartName %q is not the name of a chart", w.ChartName)
	case strings.HasPrefix(w.ChartVersion, "-") || strings.ContainsAny(w.ChartVersion, "\n\x00"):
		return fmt.Errorf("chartVersion %q is not a version", w.ChartVersion)
	}
	return nil
}
