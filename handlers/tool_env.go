package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/handlers/release"
)

// toolEnv is the environment of helm and kubectl: an allowlist, because the operator's own environment holds secrets, and home directories of
// their own, because the user's may not be writable or may hold plugins.
func toolEnv(environ []string, settings config.Config, capacity config.Capacity) ([]string, error) {
	home := filepath.Join(settings.StateDir, "helm")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a home for helm: %w", err)
	}
	env := append(exec.AllowEnv(environ, exec.DefaultEnv...),
		"HELM_CACHE_HOME="+filepath.Join(home, "cache"),
		"HELM_CONFIG_HOME="+filepath.Join(home, "config"),
		"HELM_DATA_HOME="+filepath.Join(home, "data"),
		"KUBECACHEDIR="+filepath.Join(settings.StateDir, "kube"),
		// helm and kubectl live for a second: with the default of 100 a quarter of helm's time goes into collecting garbage. Where
		// memory is short it is.
		"GOGC="+strconv.Itoa(capacity.GOGC),
	)
	if capacity.GOMemLimit > 0 {
		env = append(env, "GOMEMLIMIT="+strconv.FormatInt(capacity.GOMemLimit, 10))
	}
	for i, variable := range env {
		if home, ok := strings.CutPrefix(variable, "HOME="); ok {
			env[i] = "HOME=" + runs.Home(home, settings.StateDir)
		}
	}
	roots := settings.ExtraRoots()
	if roots == "" {
		return env, nil
	}
	// Go programs read this file and, besides, the system's certificate directory: the authority is an additional one.
	file := filepath.Join(settings.StateDir, "root-ca.pem")
	if err := os.WriteFile(file, []byte(roots), 0o600); err != nil {
		return nil, fmt.Errorf("cannot keep the root certificate for helm: %w", err)
	}
	return append(env, "SSL_CERT_FILE="+file), nil
}

// PrintToolVersions prints the versions of the helm and kubectl on PATH. The error names the tool that cannot be run.
func PrintToolVersions(to io.Writer, environ []string) error {
	env := exec.AllowEnv(environ, exec.DefaultEnv...)
	helm, helmErr := release.ToolVersion(context.Background(), env, "helm", "version", "--template", "{{.Version}}")
	if helmErr == nil {
		fmt.Fprintln(to, "helm", helm)
	}
	kubectl, kubectlErr := release.ToolVersion(context.Background(), env, "kubectl", "version", "--client")
	if kubectlErr == nil {
		fmt.Fprintln(to, "kubectl", strings.TrimPrefix(kubectl, "Client Version: "))
	}
	return errors.Join(helmErr, kubectlErr)
}
