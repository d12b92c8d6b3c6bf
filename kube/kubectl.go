// Package kube reads from the cluster with kubectl.
package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"octo-operator/exec"
)

// Kubectl runs kubectl.
type Kubectl struct {
	Env []string
	Log *slog.Logger
}

// get returns kubectl's stdout. Its stderr, warnings aside, is the error.
func (k Kubectl) get(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"get"}, args...)
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

// Pool is a CommunicationPool resource.
type Pool struct {
	Namespace, Name              string
	TenantID, PoolRtID, PoolName string
}

// PoolResource is the resource's full name for kubectl.
const PoolResource = "communicationpools.octo-mesh.meshmakers.io"

// Pools lists the CommunicationPool resources of a namespace; empty means all.
func (k Kubectl) Pools(ctx context.Context, namespace string) ([]Pool, error) {
	where := "--all-namespaces"
	if namespace != "" {
		where = "--namespace=" + namespace
	}
	type resource struct {
		Metadata struct{ Namespace, Name string }
		Spec     struct{ TenantID, PoolRtID, PoolName string }
	}
	items, err := list[resource](ctx, k, PoolResource, where)
	if err != nil {
		return nil, err
	}
	var pools []Pool
	for _, item := range items {
		pools = append(pools, Pool{
			Namespace: item.Metadata.Namespace, Name: item.Metadata.Name,
			TenantID: item.Spec.TenantID, PoolRtID: item.Spec.PoolRtID, PoolName: item.Spec.PoolName,
		})
	}
	return pools, nil
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
	var newest map[string]string
	for line := range strings.Lines(string(text)) {
		columns := strings.Fields(line)
		if len(columns) == 0 || !strings.Contains(columns[len(columns)-1], "=") {
			continue
		}
		labels := map[string]string{}
		for _, pair := range strings.Split(columns[len(columns)-1], ",") {
			key, value, _ := strings.Cut(pair, "=")
			labels[key] = value
		}
		if newest == nil || revision(labels) > revision(newest) {
			newest = labels
		}
	}
	return newest, nil
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

func revision(labels map[string]string) (n int) {
	_, _ = fmt.Sscan(labels["version"], &n)
	return n
}
