package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"octo-operator/exec"
)

// PoolKind is one of the two custom resources that stand for a pool.
type PoolKind struct {
	Resource   string // for kubectl
	Kind       string
	APIVersion string
}

// The kinds. A controller of G4 calls a pool a deployment site.
var (
	CommunicationPool = PoolKind{"communicationpools.octo-mesh.meshmakers.io", "CommunicationPool", "octo-mesh.meshmakers.io/v1alpha1"}
	DeploymentSite    = PoolKind{"deploymentsites.octo-mesh.meshmakers.io", "DeploymentSite", "octo-mesh.meshmakers.io/v1"}
)

// Pool is a pool's custom resource.
type Pool struct {
	PoolKind
	Namespace, Name                                  string
	TenantID, PoolName, PoolRtID, DeploymentSiteRtID string
	Status                                           string // communicationStatus
}

// resource is how kubectl prints a Pool.
type resource struct {
	Metadata struct{ Namespace, Name string }
	Spec     struct{ TenantID, PoolName, PoolRtID, DeploymentSiteRtID string }
	Status   struct{ CommunicationStatus string }
}

func (r resource) pool(kind PoolKind) Pool {
	return Pool{
		PoolKind: kind, Namespace: r.Metadata.Namespace, Name: r.Metadata.Name,
		TenantID: r.Spec.TenantID, PoolName: r.Spec.PoolName, PoolRtID: r.Spec.PoolRtID,
		DeploymentSiteRtID: r.Spec.DeploymentSiteRtID, Status: r.Status.CommunicationStatus,
	}
}

// PoolChanges is told what a watch finds.
type PoolChanges struct {
	All     func(PoolKind, []Pool) // everything there is, at the start and now and then
	Changed func(Pool)             // new or changed
	Deleted func(Pool)
}

const (
	// A watch that is older than this ends, and is started anew with a fresh list: whatever was missed is then made good.
	// kubectl is told, and not stopped from here: so it also ends when the operator was killed and cannot stop it.
	longestWatch = 10 * time.Minute
	// An upgrade of the operator's chart may bring the resource, or the permission, any time.
	noAccessWait = time.Minute
)

// WatchPools watches one kind of pools in a namespace (empty: all) until ctx ends: a list, then a watch, and again when
// the watch ends.
func (k Kubectl) WatchPools(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = 30 * time.Second
	toldForbidden := false
	for ctx.Err() == nil {
		wait := time.Duration(0)
		err := k.listAndWatch(ctx, kind, namespace, changes, waits.Reset)
		switch {
		case ctx.Err() != nil:
			return
		case says(err, "doesn't have a resource type"):
			k.Log.Debug("pools not watched: the cluster does not know the resource", "resource", kind.Resource)
			wait = noAccessWait
		case says(err, "forbidden"):
			if !toldForbidden { // a role made for one kind of pool stays so until somebody changes it
				k.Log.Warn("pools not watched: the operator's role does not allow it", "resource", kind.Resource, "reason", err)
			}
			toldForbidden, wait = true, noAccessWait
		case err != nil:
			wait = min(waits.NextBackOff(), waits.MaxInterval)
			k.Log.Warn("pools not watched", "resource", kind.Resource, "reason", err, "retry_in", wait.Round(time.Millisecond).String())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func says(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func (k Kubectl) listAndWatch(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges, listed func()) error {
	items, err := list[resource](ctx, k, kind.Resource, inNamespace(namespace))
	if err != nil {
		return err
	}
	listed()
	pools := make([]Pool, len(items))
	for i, item := range items {
		pools[i] = item.pool(kind)
	}
	changes.All(kind, pools)
	started := time.Now()
	err = k.watch(ctx, kind, namespace, changes)
	if time.Since(started) >= longestWatch {
		return nil // time for a fresh list
	}
	return err
}

func inNamespace(namespace string) string {
	if namespace == "" {
		return "--all-namespaces"
	}
	return "--namespace=" + namespace
}

// watch runs kubectl until it ends: the API server ends watches now and then.
func (k Kubectl) watch(ctx context.Context, kind PoolKind, namespace string, changes PoolChanges) error {
	args := []string{"get", kind.Resource, inNamespace(namespace), "--watch", "--output-watch-events", "--output", "json",
		"--request-timeout", longestWatch.String()}
	k.Log.Debug("command", "cmd", exec.Quote(append([]string{"kubectl"}, args...)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := decodeWatch(read, kind, changes)
		_ = read.CloseWithError(err) // what kubectl still writes must not wait for a reader
		cancel()
		done <- err
	}()
	var reason []string
	_, err := exec.Run(ctx, exec.Command{
		// This one lives long: little memory counts, not speed (the last of a variable counts).
		Path: "kubectl", Args: args, Env: append(slices.Clone(k.Env), "GOGC=20"),
		OnLine: func(line exec.Line) {
			if line.Stream == "stdout" {
				_, _ = io.WriteString(write, line.Text+"\n")
			} else {
				reason = append(reason, line.Text)
			}
		},
	})
	_ = write.Close()
	decodeErr := <-done
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(reason) > 0 {
		return fmt.Errorf("cannot watch %s: %s", kind.Resource, strings.Join(reason, "\n"))
	}
	return errors.Join(err, decodeErr)
}

// decodeWatch reads the objects that kubectl prints, one after the other.
func decodeWatch(from io.Reader, kind PoolKind, changes PoolChanges) error {
	decoder := json.NewDecoder(from)
	for {
		var event struct {
			Type   string
			Object resource
		}
		err := decoder.Decode(&event)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read kubectl's watch of %s: %w", kind.Resource, err)
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			changes.Changed(event.Object.pool(kind))
		case "DELETED":
			changes.Deleted(event.Object.pool(kind))
		}
	}
}

// WritePoolStatus writes communicationStatus of the pools with one command, however many there are. file is where the
// objects may lie meanwhile.
func (k Kubectl) WritePoolStatus(ctx context.Context, fieldManager, file string, pools []Pool) error {
	var objects bytes.Buffer
	for _, p := range pools {
		text, err := json.Marshal(map[string]any{
			"apiVersion": p.APIVersion, "kind": p.Kind,
			"metadata": map[string]string{"name": p.Name, "namespace": p.Namespace},
			"status":   map[string]string{"communicationStatus": p.Status},
		})
		if err != nil {
			return err
		}
		objects.WriteString("---\n")
		objects.Write(append(text, '\n'))
	}
	if err := os.WriteFile(file, objects.Bytes(), 0o600); err != nil {
		return fmt.Errorf("cannot write the status of pools: %w", err)
	}
	_, err := k.run(ctx, "apply", "--server-side", "--force-conflicts", "--subresource", "status", "--field-manager", fieldManager, "--filename", file)
	if err != nil {
		return fmt.Errorf("cannot write the status of pools: %w", err)
	}
	return nil
}
