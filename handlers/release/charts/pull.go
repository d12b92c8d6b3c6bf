package charts

import (
	"context"
	"errors"
	"fmt"
	"os"

	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// pull puts the chart into the run directory. The operator downloads it itself, because only the program that makes the connections can
// check where they lead: a repository may redirect to any address. If the environment has a chart-pull of its own, that script pulls.
func (c *Cache) pull(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed, at location) (Chart, error) {
	own := c.scripts.Replaced(scripts.ChartPull)
	by := c.download
	if own {
		by = c.pullByScript
	}
	if err := t.Remove(File); err != nil {
		return Chart{}, err
	}
	if err := by(ctx, t, w, at); err != nil {
		return Chart{}, cannotGet(w, err)
	}
	found, err := Read(t.Path(File))
	if err == nil {
		err = os.Chmod(t.Path(File), 0o600)
	}
	if err != nil {
		return Chart{}, fmt.Errorf("cannot read chart %s from %s: %w", chartOf(w), repository.Shown(w.RepositoryURL), err)
	}
	if err := checkDigest(t.Path(File), at.digest); err != nil && !own {
		return Chart{}, cannotUse(w, err)
	}
	return found, nil
}

// download gets the chart as helm pull would, within the time limit of a script.
func (c *Cache) download(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed, at location) error {
	if err := t.TakeSlot(ctx); err != nil {
		return err
	}
	limit, cause := dispatch.DeadlineOf(scripts.ChartPull, c.settings)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()

	address := at.url
	var came repository.Archive
	var err error
	switch {
	case at.url != "":
		came, err = c.archives.Download(ctx, sourceOf(w), at.url, t.Path(File))
	case at.image != "": // without credentials, because the host is not the repository's
		address = at.image
		came, err = c.archives.Pull(ctx, repository.Source{URL: at.image}, at.image, at.version, t.Path(File))
	default:
		address = repository.Reference(w.RepositoryURL, w.ChartName)
		came, err = c.archives.Pull(ctx, sourceOf(w), address, w.ChartVersion, t.Path(File))
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return pullFailed(err)
	}
	t.Log.Info("chart pulled", "from", repository.Shown(address), "bytes", came.Bytes, "sha256", came.SHA256)
	return nil
}

// pullError is a failed pull in helm's words, without what may be secret in them.
type pullError struct {
	words string
	cause error
}

func (e *pullError) Error() string { return e.words }
func (e *pullError) Unwrap() error { return e.cause }
func (e *pullError) Step() string  { return scripts.ChartPull }
func (e *pullError) Words() string { return e.words }

// pullFailed makes a pullError if the cause is outside the operator, so that it is explained and may be tried again. What the rules
// forbid, and what a repository has published wrongly, needs no explanation and is final.
func pullFailed(err error) error {
	refused, digest := (*repository.RefusedError)(nil), (*repository.DigestError)(nil)
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &digest):
		return digest
	}
	return &pullError{exec.WithoutAddressSecrets(err.Error()), err}
}

// cannotGet is the error for a chart that the repository does not deliver, or the settings forbid.
func cannotGet(w hub.WorkloadDeployed, err error) error {
	if errors.As(err, new(*repository.DigestError)) {
		return cannotUse(w, err)
	}
	if refused := (*repository.RefusedError)(nil); errors.As(err, &refused) {
		err = refused // without the error of net/http around it: the address there may contain a signature
	}
	return fmt.Errorf("cannot get chart %s from %s: %w", chartOf(w), repository.Shown(w.RepositoryURL), err)
}

// cannotUse is the error for a chart that the repository has delivered and that cannot be used.
func cannotUse(w hub.WorkloadDeployed, err error) error {
	return fmt.Errorf("cannot use chart %s from %s: %w", chartOf(w), repository.Shown(w.RepositoryURL), err)
}
