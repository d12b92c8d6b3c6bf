package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/repository"
	"octo-operator/scripts"
)

// charts keeps the archives of pulled charts. Which one an event asks for is looked up in the repository's index; an archive with
// the digest that stands there need not be pulled again. Where the index has no digest, an archive counts for as long as the index
// is the same. An oci:// registry has no index: there helm pulls each time.
type charts struct {
	dir       string
	indexes   *repository.Indexes
	young     time.Duration // see OPERATOR__INDEXMAXAGE
	plainHTTP bool
	writing   sync.Mutex
	// whole is held while helm reads a whole index, for which it needs much memory: one of an unusual form.
	whole chan struct{}
}

const (
	// indexTimeout bounds the download of an index, and headersTimeout the wait for its first byte. What is slower is left to helm.
	indexTimeout   = 30 * time.Second
	headersTimeout = 10 * time.Second
	unusedChart    = 7 * 24 * time.Hour
)

func openCharts(settings config.Config) (*charts, error) {
	dir := filepath.Join(settings.StateDir, "charts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a cache for charts: %w", err)
	}
	client, err := settings.HTTPClient()
	if err != nil {
		return nil, err
	}
	client.Timeout = indexTimeout
	client.Transport.(*http.Transport).ResponseHeaderTimeout = headersTimeout
	return &charts{
		dir: dir, indexes: repository.NewIndexes(dir, client), young: settings.IndexMaxAge,
		plainHTTP: settings.Helm.PlainHTTP, whole: make(chan struct{}, 1),
	}, nil
}

const chartFile = "chart.tgz"

// fetch puts the event's chart into the run directory. For a task that has it already, because the event is tried again, it
// is not pulled once more, whatever is the newest by then.
func (c *charts) fetch(ctx context.Context, h *Handlers, t *task, r release, w hub.WorkloadDeployed) (chart, error) {
	if t.hasChart {
		if found, err := readChart(t.Path(chartFile)); err == nil {
			return found, nil
		}
	}
	if w.IsReconciliation && w.ChartVersion == "" { // nobody asked for a newer one
		version, err := h.installedVersion(ctx, r, w.ChartName)
		if err != nil {
			return chart{}, err
		}
		w.ChartVersion = version
	}
	found, err := c.get(ctx, h, t, w)
	t.hasChart = err == nil
	return found, err
}

// get takes the chart from the cache, or else from the repository. The index must be one that the repository has confirmed since the
// event came: somebody may have published a version and deployed it at once. Only a chart that is at hand under exactly the version
// that is asked for is taken by an older index, of which the settings say how old it may be.
func (c *charts) get(ctx context.Context, h *Handlers, t *task, w hub.WorkloadDeployed) (chart, error) {
	now := time.Now()
	if w.ChartVersion != "" {
		if at, err := c.find(ctx, w, now.Add(-c.young)); err == nil && at.exact {
			if found, err := c.takeCached(t, at); err == nil {
				return found, nil
			}
		}
	}
	at, err := c.find(ctx, w, now)
	if err != nil {
		return chart{}, err
	}
	if found, err := c.takeCached(t, at); err == nil {
		return found, nil
	}
	found, err := c.pull(ctx, h, t, w, at)
	if errors.As(err, new(*digestError)) { // it may have been published again between the index and the archive
		newer, lookErr := c.find(ctx, w, time.Now())
		if lookErr != nil || newer.digest == at.digest {
			return found, err
		}
		at = newer
		found, err = c.pull(ctx, h, t, w, at)
	}
	if err == nil {
		c.keep(t.Path(chartFile), at)
	}
	return found, err
}

// location is where a chart is to be had.
type location struct {
	key     string // of its archive in the cache; "": it cannot be kept
	digest  string // of its archive; "": not known
	url     string // of its archive; "": helm has to look it up
	version string
	exact   bool // that version is the one that is asked for
}

// find looks the event's chart up in the repository's index. What only helm can tell is no error: helm then pulls by name, and says
// what is wrong.
func (c *charts) find(ctx context.Context, w hub.WorkloadDeployed, confirmed time.Time) (location, error) {
	if isRegistry(w.RepositoryURL) {
		return location{}, nil
	}
	from := sourceOf(w)
	found, err := c.indexes.Find(ctx, from, w.ChartName, w.ChartVersion, confirmed)
	missing := (*repository.NotFoundError)(nil)
	switch {
	case errors.As(err, &missing):
		return location{}, notInIndex(w, missing)
	case errors.Is(err, repository.ErrTooLarge), ctx.Err() != nil:
		return location{}, fmt.Errorf("cannot get chart %s from %s: %w", chartOf(w), w.RepositoryURL, err)
	}
	at := location{version: found.Version, exact: found.Exact}
	if err == nil {
		at.url = archiveURL(w.RepositoryURL, found.URL)
	}
	switch {
	case at.url != "" && found.Digest != "":
		at.digest = found.Digest
		at.key = from.Key(found.Digest)
	case found.State != "":
		at.key = from.Key(w.ChartName, w.ChartVersion, found.URL, found.State)
	}
	return at, nil
}

func isRegistry(repositoryURL string) bool { return strings.HasPrefix(repositoryURL, "oci:") }

func sourceOf(w hub.WorkloadDeployed) repository.Source {
	return repository.Source{URL: w.RepositoryURL, Username: w.RepositoryUsername, Password: w.RepositoryPassword}
}

func chartOf(w hub.WorkloadDeployed) string {
	return strings.TrimSpace(w.ChartName + " " + w.ChartVersion)
}

// notInIndex says what the table of causes says of helm's words.
func notInIndex(w hub.WorkloadDeployed, missing *repository.NotFoundError) error {
	f := failure{repository: w.RepositoryURL, chart: w.ChartName, version: w.ChartVersion}
	if missing.HasChart && w.ChartVersion != "" {
		return errors.New(match{facts: f.facts()}.fill(noVersion))
	}
	return errors.New(noChart(f, match{facts: f.facts()}))
}

// archiveURL is the address of an archive, which in an index may be relative to the repository; "": it is none that helm could be
// given as it is.
func archiveURL(repositoryURL, inIndex string) string {
	if inIndex == "" {
		return ""
	}
	address, err := repository.Resolve(repositoryURL, inIndex)
	if err != nil {
		return ""
	}
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" || address.Path == "" {
		return ""
	}
	return address.String()
}

// takeCached puts the chart that was pulled for an earlier deploy into the run directory.
func (c *charts) takeCached(t *task, at location) (chart, error) {
	if at.key == "" {
		return chart{}, fs.ErrNotExist
	}
	if err := t.Remove(chartFile); err != nil { // of an earlier life that was killed
		return chart{}, err
	}
	c.writing.Lock()
	err := linkOrCopy(c.archive(at), t.Path(chartFile))
	c.writing.Unlock()
	if err == nil {
		err = checkDigest(t.Path(chartFile), at.digest)
	}
	if err != nil {
		return chart{}, err
	}
	return readChart(t.Path(chartFile))
}

func (c *charts) archive(at location) string { return filepath.Join(c.dir, at.key+".tgz") }

// checkDigest is an error unless a file has the digest, if one is known.
func checkDigest(file, digest string) error {
	if digest == "" {
		return nil
	}
	sum, err := digestOf(file)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum); got != digest {
		return &digestError{got, digest}
	}
	return nil
}

// digestOf is a file's SHA-256.
func digestOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}

// digestError is an archive that is not the one in the index.
type digestError struct{ got, want string }

func (e *digestError) Error() string {
	return fmt.Sprintf("the archive that it sends has the SHA-256 digest %s, and its index says %s: publish the chart again, with a new index", e.got, e.want)
}

// keep puts an archive that could be read into the cache. A cache that cannot be written costs time only.
func (c *charts) keep(archive string, at location) {
	if at.key == "" || checkDigest(archive, at.digest) != nil { // a script of the environment's own has got it from elsewhere
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = os.Remove(c.archive(at))
	_ = linkOrCopy(archive, c.archive(at))
}

// prune forgets charts that were pulled longer ago than age.
func (c *charts) prune(age time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.indexes.Forget(age)
	files, _ := filepath.Glob(filepath.Join(c.dir, "*"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > age {
			_ = os.Remove(file)
		}
	}
}

// linkOrCopy makes to the same file as from: a link costs no disk.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// lockWhole waits until no other helm reads a whole index, without a slot: a repository that hangs must not keep others from working.
func (c *charts) lockWhole(ctx context.Context, h *Handlers, t *task) error {
	select {
	case c.whole <- struct{}{}:
		return nil
	default:
	}
	return h.rest(ctx, t, func() error {
		select {
		case c.whole <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// pull lets helm fetch the chart.
func (c *charts) pull(ctx context.Context, h *Handlers, t *task, w hub.WorkloadDeployed, at location) (chart, error) {
	if at.url == "" && !isRegistry(w.RepositoryURL) {
		if err := c.lockWhole(ctx, h, t); err != nil {
			return chart{}, err
		}
		defer func() { <-c.whole }()
	}
	if err := errors.Join(t.Remove(chartFile, "repositories.yaml", repositoryCache), c.writeCredentials(t, w, at)); err != nil {
		return chart{}, err
	}
	err := h.script(ctx, t, scripts.ChartPull, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"REPOSITORY": w.RepositoryURL, "CHART": w.ChartName, "CHART_VERSION": w.ChartVersion, "CHART_URL": at.openURL(),
		"CREDENTIALS": strconv.FormatBool(hasCredentials(w)),
		"PLAIN_HTTP":  strconv.FormatBool(c.plainHTTP),
	})
	if err != nil {
		return chart{}, fmt.Errorf("cannot get chart %s from %s: %w", chartOf(w), w.RepositoryURL, err)
	}
	found, err := readChart(t.Path(chartFile))
	if err == nil {
		err = os.Chmod(t.Path(chartFile), 0o600)
	}
	if err != nil {
		return chart{}, fmt.Errorf("cannot read chart %s from %s: %w", chartOf(w), w.RepositoryURL, err)
	}
	if err := checkDigest(t.Path(chartFile), at.digest); err != nil && !h.scripts.Replaced(scripts.ChartPull) {
		return chart{}, fmt.Errorf("cannot use chart %s from %s: %w", chartOf(w), w.RepositoryURL, err)
	}
	return found, nil
}
