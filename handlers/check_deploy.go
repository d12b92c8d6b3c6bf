package handlers

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"octo-operator/hub"
	"octo-operator/journal"
)

const (
	maxRepositoryURL = 2000 // bytes, as browsers and proxies take them
	maxChartName     = 250  // bytes; the chart's version too: both become a part of a file's name
)

var chartName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// checkDeploy refuses what could not work, or could mean something else on a command line or in the log.
func checkDeploy(w hub.WorkloadDeployed) error {
	err := w.Check()
	if err == nil {
		err = checkRepository(w)
	}
	if err == nil {
		err = errors.Join(checkText("chartName", w.ChartName, maxChartName), checkText("chartVersion", w.ChartVersion, maxChartName))
	}
	switch {
	case err != nil:
		return err
	case !chartName.MatchString(w.ChartName):
		return fmt.Errorf("chartName %q is not the name of a chart", w.ChartName)
	case strings.HasPrefix(w.ChartVersion, "-"):
		return fmt.Errorf("chartVersion %q is not a version", w.ChartVersion)
	}
	return nil
}

func checkRepository(w hub.WorkloadDeployed) error {
	if err := checkText("repositoryUrl", w.RepositoryURL, maxRepositoryURL); err != nil {
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
	}
	return nil
}

// checkText refuses a text that is not one line of limited length. Its error does not quote it.
func checkText(field, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s has %d bytes, the limit is %d", field, len(text), limit)
	}
	notPrinted := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, notPrinted) {
		return fmt.Errorf("%s holds a character that cannot be printed", field)
	}
	return nil
}
