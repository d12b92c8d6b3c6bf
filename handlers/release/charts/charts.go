package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/repository"
	"octo-operator/scripts"
)

// Cache keeps the archives of pulled charts. Which one an event asks for is looked up in the repository's index; an archive with
// the digest that stands there need not be pulled again. Where the index has no digest, an archive counts for as long as the index
// is the same. An oci:// registry has no index: there the chart is pulled each time.
type Cache struct {
	settings config.Config
	scripts  scripts.Set
	// installed is the version of a chart that a release has; "": none, or of another chart.
	installed func(ctx context.Context, r names.Release, chart string) (string, error)
	dir       string
	rules     repository.Rules
	Client    *http.Client // of both:
	indexes   *repository.Indexes
	archives  *repository.Archives
	schemas   []string      // see OPERATOR__ALLOWEDSCHEMAS
	young     time.Duration // see OPERATOR__INDEXMAXAGE
	writing   sync.Mutex
	// whole is held while a script of the environment's own may read a whole index, for which helm needs much memory.
	whole chan struct{}
}

const unusedChart = 7 * 24 * time.Hour

func Open(settings config.Config, set scripts.Set, env []string, installed func(context.Context, names.Release, string) (string, error)) (*Cache, error) {
	dir := filepath.Join(settings.StateDir, "charts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a cache for charts: %w", err)
	}
	client, err := settings.HTTPClient()
	if err != nil {
		return nil, err
	}
	client.Timeout, _ = dispatch.DeadlineOf(scripts.ChartPull, settings)
	rules := repository.Rules{
		Allowed: settings.Repositories.Allowed, Addresses: settings.Repositories.Addresses, APIServer: apiServer(env),
		PlainCredentials: settings.Repositories.PlainCredentials, PlainHTTP: settings.Helm.PlainHTTP,
	}
	rules.Guard(client, client.Transport.(*http.Transport))
	return &Cache{
		settings: settings, scripts: set, installed: installed,
		dir: dir, rules: rules, Client: client, indexes: repository.NewIndexes(dir, client), archives: repository.NewArchives(client, rules),
		schemas: settings.Repositories.Schemas, young: settings.IndexMaxAge, whole: make(chan struct{}, 1),
	}, nil
}

// apiServer is the address of the API server's Service, as a pod's environment has it; "": this is no pod.
func apiServer(env []string) string {
	host, port := "", ""
	for _, variable := range env {
		switch name, value, _ := strings.Cut(variable, "="); name {
		case "KUBERNETES_SERVICE_HOST":
			host = value
		case "KUBERNETES_SERVICE_PORT":
			port = value
		}
	}
	if host == "" || port == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

const File = "chart.tgz"

// Fetch puts the event's chart into the run directory, if its schemas refer to nothing that helm may not read. For a task that has it already, because the event is tried again, it
// is not pulled once more, whatever is the newest by then.
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
	if w.IsReconciliation && w.ChartVersion == "" { // nobody asked for a newer one
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

func (c *Cache) mayUse(found Chart, w hub.WorkloadDeployed) error {
	if err := c.checkSchemas(found); err != nil {
		return cannotUse(w, err)
	}
	return nil
}

// get takes the chart from the cache, or else from the repository. The index must be one that the repository has confirmed since the
// event came: somebody may have published a version and deployed it at once. Only a chart that is at hand under exactly the version
// that is asked for is taken by an older index, of which the settings say how old it may be.
func (c *Cache) get(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) (Chart, error) {
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

// takeCached puts the chart that was pulled for an earlier deploy into the run directory.
func (c *Cache) takeCached(t *dispatch.Task, at location) (Chart, error) {
	if at.key == "" {
		return Chart{}, fs.ErrNotExist
	}
	if err := t.Remove(File); err != nil { // of an earlier life that was killed
		return Chart{}, err
	}
	c.writing.Lock()
	err := linkOrCopy(c.archive(at), t.Path(File))
	c.writing.Unlock()
	if err == nil {
		err = checkDigest(t.Path(File), at.digest)
	}
	if err != nil {
		return Chart{}, err
	}
	return Read(t.Path(File))
}

func (c *Cache) archive(at location) string { return filepath.Join(c.dir, at.key+".tgz") }

// checkDigest is an error unless a file has the digest, if one is known.
func checkDigest(file, digest string) error {
	if digest == "" {
		return nil
	}
	sum, err := DigestOf(file)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum); got != digest {
		return &repository.DigestError{Got: got, Want: digest, In: "index"}
	}
	return nil
}

// DigestOf is a file's SHA-256.
func DigestOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}

// keep puts an archive that could be read into the cache. A cache that cannot be written costs time only.
func (c *Cache) keep(archive string, at location) {
	if at.key == "" || checkDigest(archive, at.digest) != nil { // a script of the environment's own has got it from elsewhere
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = os.Remove(c.archive(at))
	_ = linkOrCopy(archive, c.archive(at))
}

// Forget removes what was pulled longer ago than a week; full: the disk is full, and all of it goes.
func (c *Cache) Forget(full bool) {
	if full {
		c.prune(0)
	} else {
		c.prune(unusedChart)
	}
}

// prune forgets charts that were pulled longer ago than age.
func (c *Cache) prune(age time.Duration) {
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
