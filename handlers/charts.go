package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"octo-operator/config"
	"octo-operator/hub"
	"octo-operator/scripts"
)

// charts keeps the archives of pulled charts. helm downloads a repository's whole index for each pull; here the index is
// asked for with its ETag, and while it has not changed, neither has any chart in it. An oci:// registry has no index:
// there helm pulls each time.
type charts struct {
	dir       string
	http      *http.Client
	plainHTTP bool
	writing   sync.Mutex
}

const (
	indexTimeout = 10 * time.Second
	unusedChart  = 7 * 24 * time.Hour
	// maxIndexState bounds what is kept and sent back of a repository's answer; an ETag has some ten characters.
	maxIndexState = 1000
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
	return &charts{dir: dir, http: client, plainHTTP: settings.Helm.PlainHTTP}, nil
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
	cached := filepath.Join(c.dir, cacheKey(w))
	state, unchanged := c.indexState(ctx, w, cached)
	if unchanged {
		if found, err := c.takeCached(t, cached); err == nil {
			t.hasChart = true
			return found, nil
		}
	}
	found, err := c.pull(ctx, h, t, w)
	if err != nil {
		return chart{}, err
	}
	c.keep(t.Path(chartFile), cached, state)
	t.hasChart = true
	return found, nil
}

// takeCached puts the chart that was pulled for an earlier deploy into the run directory.
func (c *charts) takeCached(t *task, cached string) (chart, error) {
	if err := t.Remove(chartFile); err != nil { // of an earlier life that was killed
		return chart{}, err
	}
	c.writing.Lock()
	err := linkOrCopy(cached+".tgz", t.Path(chartFile))
	c.writing.Unlock()
	if err != nil {
		return chart{}, err
	}
	return readChart(t.Path(chartFile))
}

func cacheKey(w hub.WorkloadDeployed) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{w.RepositoryURL, w.RepositoryUsername, w.RepositoryPassword, w.ChartName, w.ChartVersion}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// indexState asks the repository whether its index is still the one that the cached chart was pulled with. Whatever goes
// wrong means "no": helm then says what is wrong.
func (c *charts) indexState(ctx context.Context, w hub.WorkloadDeployed, cached string) (state string, unchanged bool) {
	if strings.HasPrefix(w.RepositoryURL, "oci:") {
		return "", false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(w.RepositoryURL, "/")+"/index.yaml", nil)
	if err != nil {
		return "", false
	}
	if w.RepositoryUsername != "" {
		request.SetBasicAuth(w.RepositoryUsername, w.RepositoryPassword)
	}
	if old, err := os.ReadFile(cached + ".index"); err == nil {
		etag, modified, _ := strings.Cut(string(old), "\n")
		setHeader(request.Header, "If-None-Match", etag)
		setHeader(request.Header, "If-Modified-Since", modified)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", false
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotModified {
		return "", true
	}
	if response.StatusCode != http.StatusOK {
		return "", false
	}
	state = response.Header.Get("ETag") + "\n" + response.Header.Get("Last-Modified")
	if len(state) > maxIndexState {
		return "", false
	}
	return state, false
}

func setHeader(header http.Header, name, value string) {
	if value != "" {
		header.Set(name, value)
	}
}

// keep remembers an archive that could be read and the state of the index it came from. A cache that cannot be written costs
// time only.
func (c *charts) keep(archive, cached, state string) {
	if strings.TrimSpace(state) == "" {
		return
	}
	c.writing.Lock() // an archive must not meet another's index
	defer c.writing.Unlock()
	_ = os.Remove(cached + ".index")
	_ = os.Remove(cached + ".tgz")
	if linkOrCopy(archive, cached+".tgz") == nil {
		_ = os.WriteFile(cached+".index", []byte(state), 0o600)
	}
}

// prune forgets charts that were pulled longer ago than age.
func (c *charts) prune(age time.Duration) {
	c.writing.Lock()
	defer c.writing.Unlock()
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
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// pull lets helm fetch the chart.
func (c *charts) pull(ctx context.Context, h *Handlers, t *task, w hub.WorkloadDeployed) (chart, error) {
	which := w.ChartName
	if w.ChartVersion != "" {
		which += " " + w.ChartVersion
	}
	if err := errors.Join(t.Remove(chartFile), c.writeCredentials(t, w)); err != nil {
		return chart{}, err
	}
	err := h.script(ctx, t, scripts.ChartPull, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"REPOSITORY": w.RepositoryURL, "CHART": w.ChartName, "CHART_VERSION": w.ChartVersion,
		"CREDENTIALS": strconv.FormatBool(w.RepositoryUsername != "" || w.RepositoryPassword != ""),
		"PLAIN_HTTP":  strconv.FormatBool(c.plainHTTP),
	})
	if err != nil {
		return chart{}, fmt.Errorf("cannot get chart %s from %s: %w", which, w.RepositoryURL, err)
	}
	found, err := readChart(t.Path(chartFile))
	if err == nil {
		err = os.Chmod(t.Path(chartFile), 0o600)
	}
	if err != nil {
		return chart{}, fmt.Errorf("cannot read chart %s from %s: %w", which, w.RepositoryURL, err)
	}
	return found, nil
}

// writeCredentials puts the repository's credentials into the files that helm reads them from.
func (c *charts) writeCredentials(t *task, w hub.WorkloadDeployed) error {
	if w.RepositoryUsername == "" && w.RepositoryPassword == "" {
		return nil
	}
	repository, err := url.Parse(w.RepositoryURL)
	if err != nil {
		return err
	}
	if repository.Scheme == "oci" {
		auth := base64.StdEncoding.EncodeToString([]byte(w.RepositoryUsername + ":" + w.RepositoryPassword))
		text, err := json.Marshal(map[string]any{"auths": map[string]any{repository.Host: map[string]any{"auth": auth}}})
		return errors.Join(err, t.Write("registry.json", text))
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "repositories": []any{map[string]any{
		"name": "workload", "url": w.RepositoryURL, "username": w.RepositoryUsername, "password": w.RepositoryPassword,
	}}})
	return errors.Join(err, t.Write("repositories.yaml", text))
}
