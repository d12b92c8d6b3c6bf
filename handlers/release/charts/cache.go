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

// Cache gets the charts of deploys, and keeps the archives that were pulled. The archive that an event asks for is looked up in the
// repository's index; if one with the same digest is in the cache, it is not pulled again. If the index has no digest, a cached archive
// is used as long as the index is unchanged. An oci:// registry has no index: its charts are pulled each time.
type Cache struct {
	// Client makes all requests to repositories and registries. It refuses the addresses that the settings forbid.
	Client *http.Client

	settings  config.Config
	scripts   scripts.Set
	installed Installed
	dir       string // has the archives and the indexes
	rules     repository.Rules
	indexes   *repository.Indexes
	archives  *repository.Archives
	writing   sync.Mutex
	// wholeIndex is held while a script of the environment's own may make helm read a whole index, which takes much memory.
	wholeIndex chan struct{}
}

// Installed returns which version of a chart a release has; "": there is no such release, or it was made from another chart.
type Installed func(ctx context.Context, r names.Release, chart string) (version string, err error)

// Open opens the cache in the state directory, and creates it if necessary. env is the environment of scripts. It returns an error if the
// directory cannot be created, or the certificates in the settings cannot be used.
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

// Rules returns the settings' rules for repositories. env is the environment of scripts, or the operator's own.
func Rules(settings config.Config, env []string) repository.Rules {
	return repository.Rules{
		Allowed: settings.Repositories.Allowed, Addresses: settings.Repositories.Addresses, APIServer: apiServer(env),
		PlainCredentials: settings.Repositories.PlainCredentials, PlainHTTP: settings.Helm.PlainHTTP,
	}
}

// apiServer returns the address of the API server's Service from a pod's environment; "": this is not a pod.
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

// takeCached puts the chart into the run directory, if it was pulled for an earlier deploy.
func (c *Cache) takeCached(t *dispatch.Task, at location) (Chart, error) {
	if at.key == "" {
		return Chart{}, fs.ErrNotExist
	}
	if err := t.Remove(File); err != nil { // left by an earlier life that was killed
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

// archive returns the file in the cache for a chart from that location.
func (c *Cache) archive(at location) string { return filepath.Join(c.dir, at.key+".tgz") }

// checkDigest returns an error if the digest is known and the file has another one.
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

// DigestOf returns the SHA-256 of a file, 32 bytes.
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

// keep puts an archive into the cache after it could be read. If the cache cannot be written, that only costs time.
func (c *Cache) keep(archive string, at location) {
	if at.key == "" || checkDigest(archive, at.digest) != nil { // a script of the environment's own may have got it from elsewhere
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = os.Remove(c.archive(at))
	_ = linkOrCopy(archive, c.archive(at))
}

// unusedAge is how long an archive is kept after it was pulled.
const unusedAge = 7 * 24 * time.Hour

// Forget removes the archives and indexes that are older than a week. full: the disk is full, and all are removed. Errors are ignored.
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

// linkOrCopy makes to the same file as from: by a link if possible, which takes no space.
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
