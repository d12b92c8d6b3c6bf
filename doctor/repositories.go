package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"octo-operator/handlers/release/charts"
	"octo-operator/handlers/release/repository"
)

// mostRepositories is how many repositories are asked: those of the last deploys.
const mostRepositories = 5

// repositories asks the chart repositories of the last deploys, by the settings' rules and without credentials. A repository that fails
// is only a warning, because events, not the operator's settings, choose the repository.
func (x *examination) repositories(ctx context.Context) []Finding {
	wanted := x.lastRepositories()
	if len(wanted) == 0 {
		return []Finding{found(Skip, "repositories", "none to ask: no deploy has a run directory here")}
	}
	client, err := x.Settings.HTTPClient()
	if err != nil {
		return []Finding{found(Fail, "repositories", "%v", err).todo("look at OPERATOR__ROOTCACERTIFICATE and the system's certificates")}
	}
	rules := charts.Rules(x.Settings, x.Environ)
	rules.Guard(client, client.Transport.(*http.Transport))
	all := make([]Finding, len(wanted))
	var asking sync.WaitGroup
	for i, d := range wanted {
		asking.Go(func() { all[i] = x.repository(ctx, client, rules, d) })
	}
	asking.Wait()
	return all
}

// lastRepositories returns one deploy for each repository of the last deploys, the newest first.
func (x *examination) lastRepositories() (all []deploy) {
	for _, d := range x.deploys() {
		d.RepositoryURL = repository.Shown(d.RepositoryURL)
		same := func(other deploy) bool { return other.RepositoryURL == d.RepositoryURL }
		if d.RepositoryURL != "" && !slices.ContainsFunc(all, same) && len(all) < mostRepositories {
			all = append(all, d)
		}
	}
	return all
}

func (x *examination) repository(ctx context.Context, client *http.Client, rules repository.Rules, d deploy) Finding {
	check := "repository " + d.RepositoryURL
	err := rules.Check(repository.Source{URL: d.RepositoryURL}, d.ChartName)
	told := "answers"
	if err == nil && repository.IsRegistry(d.RepositoryURL) {
		err = askRegistry(ctx, client, rules, d.RepositoryURL)
	} else if err == nil {
		told, err = "its index can be read", x.askIndex(ctx, client, d)
	}
	answer, refused := (*repository.AnswerError)(nil), (*repository.RefusedError)(nil)
	switch {
	case err == nil:
		return found(OK, check, "%s", told)
	case errors.As(err, &answer) && (answer.Code == http.StatusUnauthorized || answer.Code == http.StatusForbidden):
		return found(OK, check, "answers, and wants credentials, which are in the events: %v", answer)
	case errors.As(err, &refused):
		return found(Warn, check, "the settings do not allow it: %v", err).
			todo("add it to OPERATOR__ALLOWEDREPOSITORIES or __ALLOWEDREPOSITORYADDRESSES if it may be used, or correct the workload")
	}
	return found(Warn, check, "%v", because(ctx, err)).
		todo("look whether the repository runs and this pod may reach it (DNS, network policies, proxy); kept charts are deployed meanwhile")
}

func (x *examination) askIndex(ctx context.Context, client *http.Client, d deploy) error {
	if x.temp == "" {
		return errors.New("there is no directory for its index: neither TMPDIR nor /dev/shm can be written")
	}
	_, err := repository.NewIndexes(x.temp, client).Find(ctx, repository.Source{URL: d.RepositoryURL}, d.ChartName, "", time.Now())
	if errors.As(err, new(*repository.NotFoundError)) {
		return nil // a missing chart is reported when it is deployed
	}
	return err
}

// askRegistry sends the request /v2/ of the distribution specification, which every registry answers.
func askRegistry(ctx context.Context, client *http.Client, rules repository.Rules, registry string) error {
	address, err := url.Parse(registry)
	if err != nil {
		return err
	}
	scheme := "https"
	if rules.PlainHTTP {
		scheme = "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address.Host+"/v2/", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
		return nil
	}
	return fmt.Errorf("it answers %s", response.Status)
}
