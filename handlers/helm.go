package handlers

import (
	"context"
	"fmt"
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
