package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"octo-operator/exec"
)

// askHelmMajor returns helm's major version, "3" or "4": their flags differ.
func askHelmMajor(env []string) (string, error) {
	version, err := toolVersion(env, "helm", "version", "--template", "{{.Version}}")
	if err != nil {
		return "", err
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if major != "3" && major != "4" {
		return "", fmt.Errorf("cannot use helm %q: the scripts know helm 3 and helm 4", version)
	}
	return major, nil
}

// toolVersion is the first line that a tool says of its version.
func toolVersion(env []string, tool string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	version := ""
	_, err := exec.Run(ctx, exec.Command{Path: tool, Args: args, Env: env, OnLine: func(line exec.Line) {
		if line.Stream == "stdout" && version == "" {
			version = line.Text
		}
	}})
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for its version: %w", tool, err)
	}
	return version, nil
}

// helmGet returns one thing helm knows of a release, as JSON.
func (h *Handlers) helmGet(ctx context.Context, r release, what string) (string, error) {
	var out, reason strings.Builder
	_, err := exec.Run(ctx, exec.Command{
		Path: "helm", Args: []string{"get", what, r.name, "--namespace", r.namespace, "--output", "json"}, Env: h.env,
		OnLine: func(line exec.Line) {
			into := &out
			if line.Stream == "stderr" {
				into = &reason
			}
			into.WriteString(line.Text)
			if !line.More {
				into.WriteByte('\n')
			}
		},
	})
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && reason.Len() > 0 {
		return "", errors.New(strings.TrimSpace(reason.String()))
	}
	return out.String(), err
}

// installedVersion is the version of the chart that a release was made of; empty when there is no such release, or when
// it was made of another chart.
func (h *Handlers) installedVersion(ctx context.Context, r release, chart string) (string, error) {
	text, err := h.helmGet(ctx, r, "metadata")
	if err != nil && strings.Contains(err.Error(), "release: not found") {
		return "", nil
	}
	var metadata struct{ Chart, Version string }
	if err == nil {
		err = json.Unmarshal([]byte(text), &metadata)
	}
	if err != nil {
		return "", fmt.Errorf("cannot find out the installed version of release %s: %w", r.name, err)
	}
	if metadata.Chart != path.Base(chart) {
		return "", nil
	}
	return metadata.Version, nil
}
