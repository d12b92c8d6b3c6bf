// Package charts gets the charts of deploys: from the repository or registry that the event names, or from those that are kept. A Cache,
// opened once, puts the archive into a deploy's run directory and returns what the operator needs to know of the chart.
//
// A chart comes from somebody else. Its archive is read here before helm sees it, within bounds, and refused if it leads out of its
// directory, or if one of its schemas makes helm read something elsewhere.
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

// Fetch puts the chart of a deploy's event into the run directory, as File. A task that has it already, because the event is tried again,
// keeps it, whatever is the newest version by then. A reconciliation that names no version gets the one that the release has: nobody
// asked for a newer one. It is an error if the chart cannot be had or read, if the settings forbid its repository, or if its schemas
// refer to what helm may not read.
func (c *Cache) Fetch(ctx context.Context, t *dispatch.Task, r names.Release, w hub.WorkloadDeployed) (Chart, error) {
	if repository.IsRegistry(w.RepositoryURL) { // OCI:// is the same scheme, and scripts know it by small letters alone
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

// mayUse is an error if the chart's schemas refer to what helm may not read.
func (c *Cache) mayUse(found Chart, w hub.WorkloadDeployed) error {
	if err := checkReferences(found.references, c.settings.Repositories.Schemas); err != nil {
		return cannotUse(w, err)
	}
	return nil
}

// get takes the chart from the cache, or else from the repository. The index must be one that the repository has confirmed since the
// event came: somebody may have published a version and deployed it at once. Only a chart that is at hand under exactly the version
// that is asked for is taken by an older index, of which OPERATOR__INDEXMAXAGE says how old it may be.
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
	if errors.As(err, new(*repository.DigestError)) { // it may have been published again between the index and the archive
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
