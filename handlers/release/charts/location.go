package charts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"octo-operator/dispatch/reason"
	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// location is where a chart can be pulled from.
type location struct {
	key     string // of its archive in the cache; "": it cannot be cached
	digest  string // of its archive; "": not known
	url     string // of its archive, http or https; "": not known
	image   string // its address in a registry, if the index refers to one: oci://host/path:tag; "": it does not
	version string
	exact   bool // the version is exactly the one that is asked for
}

// find looks up the event's chart in the repository's index. The repository must have confirmed the index at or after confirmed. A
// registry has no index: then nothing is known. If the environment has a chart-pull of its own, an index that cannot be read, or that has
// no usable address or digest for the chart, is no error, because the script may manage without.
func (c *Cache) find(ctx context.Context, w hub.WorkloadDeployed, confirmed time.Time) (location, error) {
	if repository.IsRegistry(w.RepositoryURL) {
		return location{}, nil
	}
	from := sourceOf(w)
	found, err := c.indexes.Find(ctx, from, w.ChartName, w.ChartVersion, confirmed)
	missing := (*repository.NotFoundError)(nil)
	switch {
	case errors.As(err, &missing):
		return location{}, notInIndex(w, missing)
	case errors.Is(err, repository.ErrTooLarge), errors.As(err, new(*repository.RefusedError)), ctx.Err() != nil:
		return location{}, cannotGet(w, err)
	}
	at := location{version: found.Version, exact: found.Exact}
	if err == nil {
		at.url, at.image = archiveURL(w.RepositoryURL, found.URL)
		at.digest = found.Digest
	}
	if !c.scripts.Replaced(scripts.ChartPull) {
		switch {
		case err != nil:
			return location{}, cannotGet(w, pullFailed(err))
		case at.url == "" && at.image == "":
			return location{}, cannotGet(w, fmt.Errorf("the repository's index has no address of the archive that could be used: %.200q: publish the chart again", repository.Shown(found.URL)))
		case at.digest != "" && !repository.IsDigest(at.digest):
			return location{}, cannotGet(w, fmt.Errorf("the repository's index has as the archive's digest %.100q, which is no SHA-256: publish the chart again, with a new index", at.digest))
		}
	}
	if !repository.IsDigest(at.digest) {
		at.digest = ""
	}
	switch {
	case (at.url != "" || at.image != "") && at.digest != "":
		at.key = from.Key(at.digest)
	case found.State != "":
		at.key = from.Key(w.ChartName, w.ChartVersion, found.URL, found.State)
	}
	return at, nil
}

// sourceOf returns the event's repository.
func sourceOf(w hub.WorkloadDeployed) repository.Source {
	return repository.Source{URL: w.RepositoryURL, Username: w.RepositoryUsername, Password: w.RepositoryPassword}
}

// chartOf names the event's chart in errors.
func chartOf(w hub.WorkloadDeployed) string {
	return strings.TrimSpace(w.ChartName + " " + w.ChartVersion)
}

// notInIndex explains a chart that is not in the index with the same words as when helm does not find it.
func notInIndex(w hub.WorkloadDeployed, missing *repository.NotFoundError) error {
	f := reason.Failure{Repository: repository.Shown(w.RepositoryURL), Chart: w.ChartName, Version: w.ChartVersion}
	if missing.HasChart && w.ChartVersion != "" {
		return errors.New(f.NoVersion())
	}
	return errors.New(f.NoChart())
}

// archiveURL returns the address of an archive, which may be relative to the repository in an index, or that of an image in a registry.
// If it is neither, both are "".
func archiveURL(repositoryURL, inIndex string) (url, image string) {
	if inIndex == "" {
		return "", ""
	}
	address, err := repository.Resolve(repositoryURL, inIndex)
	switch {
	case err != nil || address.Host == "" || address.Path == "":
		return "", ""
	case address.Scheme == "http" || address.Scheme == "https":
		return address.String(), ""
	case address.Scheme == "oci":
		return "", address.String()
	}
	return "", ""
}
