package release

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"octo-operator/exec"
	"octo-operator/names"
)

// helmVersion is the version of the helm on PATH. It is asked for when it is first needed, and then known.
type helmVersion struct {
	env []string

	mu    sync.Mutex
	known string
}

// major is "3" or "4": their flags differ. Any other one is an error.
func (v *helmVersion) major(ctx context.Context) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known != "" {
		return v.known, nil
	}
	version, err := ToolVersion(ctx, v.env, "helm", "version", "--template", "{{.Version}}")
	if err != nil {
		return "", err // a helm that is missing now may be there later
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if major != "3" && major != "4" {
		return "", fmt.Errorf("cannot use helm %q: the scripts know helm 3 and helm 4", version)
	}
	v.known = major
	return major, nil
}

// versionTimeout bounds the question: kubectl waits without end for an API server that does not answer.
const versionTimeout = time.Minute

// ToolVersion is the first line of what a tool, helm or kubectl on PATH, prints when it is called with args, which ask for its version. It
// takes a minute at most.
func ToolVersion(ctx context.Context, env []string, tool string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.Capture(ctx, exec.Command{Path: tool, Args: args, Env: env})
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for its version: %w", tool, err)
	}
	version, _, _ := strings.Cut(out, "\n")
	return version, nil
}

// installedVersion is the version of the chart that a release was made of; empty when there is no such release, or when
// it was made of another chart.
func (d *Deployer) installedVersion(ctx context.Context, r names.Release, chart string) (string, error) {
	labels, err := d.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil {
		return "", err
	}
	name, version, err := d.cluster.Chart(ctx, r.Namespace, r.Name, labels["version"])
	if err != nil {
		return "", fmt.Errorf("cannot find out the installed version of release %s: %w", r.Name, err)
	}
	if name != path.Base(chart) {
		return "", nil
	}
	return version, nil
}
