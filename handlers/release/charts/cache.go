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
	"octo-operator/handlers/release/repository"
	"octo-operator/names"
	"octo-operator/scripts"
)

// Cache gets the charts of deploys, and keeps the archives of those that were pulled. Which one an event asks for is looked up in the
// repository's index; an archive with the digest that stands there need not be pulled again. Where the index has no digest, an archive
// counts for as long as the index is the same. An oci:// registry has no index: there the chart is pulled each time.
type Cache struct {
	// Client makes all requests to repositories and registries. It refuses the addresses that the settings forbid.
	Client *http.Client

	settings  config.Config
	scripts   scripts.Set
	installed Installed
	dir       string // of the archives and the indexes
	rules     repository.Rules
	indexes   *repository.Indexes
	archives  *repository.Archives
	writing   sync.Mutex
	// wholeIndex is held while a script of the environment's own may read a whole index, for which helm needs much memory.
	wholeIndex chan struct{}
}

// Installed tells which version of a chart a release has; "": there is no such release, or it was made of another chart.
type Installed func(ctx context.Context, r names.Release, chart string) (version string, err error)

// Open opens the cache in the state directory, and makes it where it is not there yet. env is the environment of scripts. It is an error
// if the directory cannot be made, or the certificates of the settings cannot be used.
func Open(settings config.Config, set scripts.Set, env []string, installed Installed) (*Cache, error) {
	dir := filepath.Join(settings.StateDir, "charts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a cache for charts: %w", err)
	}
	client, err := settings.HTTPClient()
	if err != nil {
		return nil, err
	}
	client.Timeout, _ = dispatch.DeadlineOf(scripts.ChartPull, settings)
	rules := Rules(settings, env)
	rules.Guard(client, client.Transport.(*http.Transport))
	return &Cache{
		Client: client, settings: settings, scripts: set, installed: installed, dir: dir, rules: rules,
		indexes: repository.NewIndexes(dir, client), archives: repository.NewArchives(client, rules), wholeIndex: make(chan struct{}, 1),
	}, nil
}

// Rules are the settings' rules for repositories. env is the environment of scripts, or the operator's own.
func Rules(settings config.Config, env []string) repository.Rules {
	return repository.Rules{
		Allowed: settings.Repositories.Allowed, Addresses: settings.Repositories.Addresses, APIServer: apiServer(env),
		PlainCredentials: settings.Repositories.PlainCredentials, PlainHTTP: settings.Helm.PlainHTTP,
	}
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

// archive is the file in the cache that a chart from there has.
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

// DigestOf is the SHA-256 of a file, 32 bytes.
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

// unusedAge is how long an archive is kept after it was pulled.
const unusedAge = 7 * 24 * time.Hour

// Forget removes the archives and indexes that came longer ago than a week. full: the disk is full, and all of them go. What cannot be
// removed stays.
func (c *Cache) Forget(full bool) {
	age := unusedAge
	if full {
		age = 0
	}
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
