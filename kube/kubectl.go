// Package kube reads from the cluster with kubectl, and writes the status of pools.
package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"octo-operator/exec"
)

// Kubectl runs kubectl.
type Kubectl struct {
	Env []string
	Log *slog.Logger
}

func (k Kubectl) get(ctx context.Context, args ...string) ([]byte, error) {
	return k.run(ctx, append([]string{"get"}, args...)...)
}

// run returns kubectl's stdout. Its stderr, warnings aside, is the error.
func (k Kubectl) run(ctx context.Context, args ...string) ([]byte, error) {
	k.Log.Debug("command", "cmd", exec.Quote(append([]string{"kubectl"}, args...)))
	var out bytes.Buffer
	var reason []string
	_, err := exec.Run(ctx, exec.Command{
		Path: "kubectl", Args: args, Env: k.Env,
		OnLine: func(line exec.Line) {
			if line.Stream == "stdout" {
				out.WriteString(line.Text)
				if !line.More { // else one line of more than a megabyte came in pieces
					out.WriteByte('\n')
				}
			} else if !strings.HasPrefix(line.Text, "Warning:") {
				reason = append(reason, line.Text)
			}
		},
	})
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(reason) > 0 {
		return nil, errors.New(strings.Join(reason, "\n"))
	}
	return out.Bytes(), err
}

// ReleaseLabels returns the labels of a release's newest revision, Helm's own (name, owner, status, version) among them;
// nil when there is no such release. It asks for the table form, which comes without the release's content: a megabyte
// per revision otherwise.
func (k Kubectl) ReleaseLabels(ctx context.Context, namespace, name string) (map[string]string, error) {
	text, err := k.get(ctx, "secrets", "--namespace", namespace, "--selector", "owner=helm,name="+name,
		"--show-labels", "--no-headers", "--ignore-not-found")
	if err != nil {
		return nil, fmt.Errorf("cannot look up release %s: %w", name, err)
	}
	return newestRevisions(string(text))[name], nil
}

// newestRevisions reads the table of Helm's secrets: the labels are its last column.
func newestRevisions(table string) map[string]map[string]string {
	newest := map[string]map[string]string{}
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if len(columns) == 0 || !strings.Contains(columns[len(columns)-1], "=") {
			continue
		}
		labels := map[string]string{}
		for _, pair := range strings.Split(columns[len(columns)-1], ",") {
			key, value, _ := strings.Cut(pair, "=")
			labels[key] = value
		}
		if known := newest[labels["name"]]; known == nil || revision(labels) > revision(known) {
			newest[labels["name"]] = labels
		}
	}
	return newest
}

// Replicas returns the replica count of each Deployment of a release.
func (k Kubectl) Replicas(ctx context.Context, namespace, release string) ([]int, error) {
	text, err := k.get(ctx, "deployments", "--namespace", namespace, "--selector", "app.kubernetes.io/instance="+release,
		"--output", "jsonpath={range .items[*]}{.spec.replicas}{'\\n'}{end}")
	if err != nil {
		return nil, fmt.Errorf("cannot look up the Deployments of release %s: %w", release, err)
	}
	var counts []int
	for _, word := range strings.Fields(string(text)) {
		count, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("cannot read kubectl's replica counts of release %s: %w", release, err)
		}
		counts = append(counts, count)
	}
	return counts, nil
}

// Created is when an object was made.
func (k Kubectl) Created(ctx context.Context, namespace, kind, name string) (time.Time, error) {
	text, err := k.get(ctx, kind, name, "--namespace", namespace, "--output", "jsonpath={.metadata.creationTimestamp}")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
}

// Releases returns the labels of the newest revision of each release in a namespace that has the label, by release.
func (k Kubectl) Releases(ctx context.Context, namespace, label string) (map[string]map[string]string, error) {
	text, err := k.get(ctx, "secrets", "--namespace", namespace, "--selector", "owner=helm,"+label,
		"--show-labels", "--no-headers", "--ignore-not-found")
	if err != nil {
		return nil, fmt.Errorf("cannot list the releases in namespace %s: %w", namespace, err)
	}
	return newestRevisions(string(text)), nil
}

func revision(labels map[string]string) (n int) {
	_, _ = fmt.Sscan(labels["version"], &n)
	return n
}

// SecretNames are the names of the secrets in a namespace that have a label.
func (k Kubectl) SecretNames(ctx context.Context, namespace, label string) (map[string]bool, error) {
	text, err := k.get(ctx, "secrets", "--namespace", namespace, "--selector", label, "--no-headers", "--ignore-not-found")
	if err != nil {
		return nil, fmt.Errorf("cannot list the secrets in namespace %s: %w", namespace, err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		names[name] = true
	}
	return names, nil
}
