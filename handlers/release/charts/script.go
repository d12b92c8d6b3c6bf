package charts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/yaml"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// repositoryCache is the directory in which helm looks for the index of the repository in repositories.yaml.
const repositoryCache = "repository-cache"

// pullByScript runs a chart-pull of the environment's own, which gets the chart. The operator does not control its connections.
func (c *Cache) pullByScript(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed, at location) error {
	if at.url == "" && !repository.IsRegistry(w.RepositoryURL) {
		if err := c.lockIndex(ctx, t); err != nil {
			return err
		}
		defer func() { <-c.wholeIndex }()
	}
	if err := errors.Join(t.Remove("repositories.yaml", repositoryCache), writeCredentials(t, w, at)); err != nil {
		return err
	}
	return t.Script(ctx, scripts.ChartPull, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"REPOSITORY": repository.Shown(w.RepositoryURL), "CHART": w.ChartName, "CHART_VERSION": w.ChartVersion, "CHART_URL": at.openURL(),
		"CREDENTIALS": strconv.FormatBool(hasCredentials(w)),
		"PLAIN_HTTP":  strconv.FormatBool(c.rules.PlainHTTP),
	})
}

// lockIndex waits until no other script may make helm read a whole index. It waits without a slot: a repository that hangs must not keep
// others from working.
func (c *Cache) lockIndex(ctx context.Context, t *dispatch.Task) error {
	select {
	case c.wholeIndex <- struct{}{}:
		return nil
	default:
	}
	return t.Park(ctx, runs.WaitSlot, "another script that reads a whole index: one at a time", !t.MayHaveChanged, func() error {
		select {
		case c.wholeIndex <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func hasCredentials(w hub.WorkloadDeployed) bool {
	return w.RepositoryUsername != "" || w.RepositoryPassword != ""
}

// openURL returns the archive's address for a command line; "": it is not known, or may contain a secret.
func (at location) openURL() string {
	if address, err := url.Parse(at.url); err != nil || address.User != nil || address.RawQuery != "" {
		return ""
	}
	return at.url
}

// writeCredentials writes what must not be on a command line to the files from which helm reads it: the repository's credentials, and an
// archive's address that may itself be secret. helm sends the credentials only to the repository's own host.
func writeCredentials(t *dispatch.Task, w hub.WorkloadDeployed, at location) error {
	from, err := url.Parse(w.RepositoryURL)
	if err != nil {
		return err
	}
	if from.Scheme == "oci" {
		if !hasCredentials(w) {
			return nil
		}
		auth := base64.StdEncoding.EncodeToString([]byte(w.RepositoryUsername + ":" + w.RepositoryPassword))
		text, err := json.Marshal(map[string]any{"auths": map[string]any{from.Host: map[string]any{"auth": auth}}})
		return errors.Join(err, t.Write("registry.json", text))
	}
	if !hasCredentials(w) && at.url == at.openURL() && from.RawQuery == "" {
		return nil
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "repositories": []any{map[string]any{
		"name": "workload", "url": w.RepositoryURL, "username": w.RepositoryUsername, "password": w.RepositoryPassword,
	}}})
	return errors.Join(err, t.Write("repositories.yaml", text), writeIndex(t, w, at))
}

// writeIndex writes an index with only the wanted chart. With credentials, helm looks up a chart by its name, and reading the
// repository's whole index would take it much memory. For a chart in a folder ("team/app") the name is the last part, because helm
// ignores a version whose name has a slash.
func writeIndex(t *dispatch.Task, w hub.WorkloadDeployed, at location) error {
	if at.url == "" {
		return nil
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "entries": map[string]any{w.ChartName: []any{map[string]any{
		"apiVersion": "v2", "name": path.Base(w.ChartName), "version": at.version, "urls": []string{at.url},
	}}}})
	return errors.Join(err, os.MkdirAll(t.Path(repositoryCache), 0o700), t.Write(filepath.Join(repositoryCache, "workload-index.yaml"), text))
}
