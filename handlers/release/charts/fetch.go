// Package charts gets the charts of deploys, from the repository or registry that the event names, or from its cache. A Cache, opened
// once, puts the archive into a deploy's run directory and returns what the operator needs to know of the chart.
//
// Charts are not trusted. An archive is read here before helm sees it, within bounds, and refused if it leads out of its directory, or if
// one of its schemas makes helm read something elsewhere.
package charts

import (
	"context"
	"errors"
	"time"

	"octo-operator/dispatch"
	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/names"
)

// File is the chart's archive in a run directory.
const File = "chart.tgz"

// Fetch puts the chart of a deploy's event into the run directory, as File. If the directory has it already, because the event is tried
// again, it stays, even if there is a newer version by now. A reconciliation without a version gets the one that the release has, because
// nobody has asked for a newer one. It is an error if the chart cannot be pulled or read, if the settings forbid its repository, or if
// its schemas refer to what helm may not read.
func (c *Cache) Fetch(ctx context.Context, t *dispatch.Task, r names.Release, w hub.WorkloadDeployed) (Chart, error) {
	if repository.IsRegistry(w.RepositoryURL) { // OCI:// is the same scheme, but scripts know only oci://
		w.RepositoryURL = "oci" + w.RepositoryURL[len("oci"):]
	}
	if err := c.rules.Check(sourceOf(w), w.ChartName); err != nil {
		return Chart{}, cannotGet(w, err)
	}
	if t.HasChart {
		if found, err := Read(t.Path(File)); err == nil {
			return found, c.mayUse(found, w)
		}
	}
	if w.IsReconciliation && w.ChartVersion == "" {
		version, err := c.installed(ctx, r, w.ChartName)
		if err != nil {
			return Chart{}, err
		}
		w.ChartVersion = version
	}
	found, err := c.get(ctx, t, w)
	t.HasChart = err == nil
	if err == nil {
		err = c.mayUse(found, w)
	}
	return found, err
}

// mayUse returns an error if the chart's schemas refer to what helm may not read.
func (c *Cache) mayUse(found Chart, w hub.WorkloadDeployed) error {
	if err := checkReferences(found.references, c.settings.Repositories.Schemas); err != nil {
		return cannotUse(w, err)
	}
	return nil
}

// get takes the chart from the cache, or else from the repository. The repository must have confirmed the index since this try began:
// somebody may have published a version and deployed it at once. An older index, at most OPERATOR__INDEXMAXAGE old, is good enough for a
// cached chart with exactly the version that is asked for.
func (c *Cache) get(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) (Chart, error) {
	now := time.Now()
	if w.ChartVersion != "" {
		if at, err := c.find(ctx, w, now.Add(-c.settings.IndexMaxAge)); err == nil && at.exact {
			if found, err := c.takeCached(t, at); err == nil {
				return found, nil
			}
		}
	}
	at, err := c.find(ctx, w, now)
	if err != nil {
		return Chart{}, err
	}
	if found, err := c.takeCached(t, at); err == nil {
		return found, nil
	}
	found, err := c.pull(ctx, t, w, at)
	if errors.As(err, new(*repository.DigestError)) { // the chart may have been published again between the requests for the index and for the archive
		newer, lookErr := c.find(ctx, w, time.Now())
		if lookErr != nil || newer.digest == at.digest {
			return found, err
		}
		at = newer
		found, err = c.pull(ctx, t, w, at)
	}
	if err == nil {
		c.keep(t.Path(File), at)
	}
	return found, err
}
