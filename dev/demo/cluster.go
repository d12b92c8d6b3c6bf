package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"octo-operator/dev/devcontroller"
)

// poolResource returns the kind of the pool's resource.
func (d *demo) poolResource() string {
	if d.generation == devcontroller.G4 {
		return "deploymentsites"
	}
	return "communicationpools"
}

// prepareCluster creates the namespace and the custom resource definition.
func (d *demo) prepareCluster() error {
	// Not in the user's home, where the files of kubectl and helm would stay.
	for _, name := range []string{"KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		if err := os.Setenv(name, filepath.Join(d.dir, "home", name)); err != nil {
			return err
		}
	}
	files, err := filepath.Glob("deploy/crds/*.yaml")
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := d.createCRD(file, strings.TrimSuffix(filepath.Base(file), ".yaml")); err != nil {
			return err
		}
	}
	if _, err := d.output(d.ctx, "kubectl", "create", "namespace", d.name); err != nil {
		return err
	}
	d.onCleanUp("removed the namespace "+d.name, func() error {
		_, err := d.output(context.Background(), "kubectl", "delete", "namespace", d.name, "--timeout=20s")
		return err
	})
	return nil
}

// createCRD creates a definition and does not apply it: one that exists already belongs to somebody else, and stays as it is.
func (d *demo) createCRD(file, name string) error {
	_, err := d.output(d.ctx, "kubectl", "create", "-f", file)
	switch {
	case err == nil:
		d.onCleanUp("removed the custom resource definition "+name, func() error { return d.removeCRD(name) })
	case !strings.Contains(err.Error(), "AlreadyExists"):
		return err
	}
	_, err = d.output(d.ctx, "kubectl", "wait", "--for=condition=Established", "--timeout=60s", "crd/"+name)
	return err
}

// removeCRD does not remove a definition that somebody else has begun to use: every pool of the cluster would be deleted with it.
func (d *demo) removeCRD(crd string) error {
	pools, err := d.output(context.Background(), "kubectl", "get", crd, "--all-namespaces", "-o", "name")
	if err == nil && pools != "" {
		err = fmt.Errorf("cannot remove %s: it is in use: %s", crd, pools)
	}
	if err == nil {
		_, err = d.output(context.Background(), "kubectl", "delete", "crd", crd, "--timeout=10s")
	}
	return err
}

// get runs kubectl or helm in the demo's namespace and returns what it prints.
func (d *demo) get(name string, args ...string) (string, error) {
	return d.output(d.ctx, name, append(slices.Clip(args), "--namespace", d.name)...)
}

func (d *demo) getJSON(into any, name string, args ...string) error {
	out, err := d.get(name, append(slices.Clip(args), "-o", "json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	return err
}

// show runs kubectl or helm in the demo's namespace for the reader.
func (d *demo) show(name string, args ...string) error {
	out, err := d.get(name, args...)
	if err != nil {
		return err
	}
	prompt(name + " " + strings.Join(args, " "))
	if out == "" {
		out = "(no output)"
	}
	block(out)
	return nil
}

// showKeys shows the keys of a Secret, and checks them.
func (d *demo) showKeys(secret string, want ...string) error {
	var content struct{ Data map[string]string }
	if err := d.getJSON(&content, "kubectl", "get", "secret", secret); err != nil {
		return err
	}
	var keys []string
	for key := range content.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	prompt("kubectl get secret " + secret + "   # the keys alone")
	block(strings.Join(keys, "  "))
	if !slices.Equal(keys, want) {
		return fmt.Errorf("secret %s has the keys %v, not %v", secret, keys, want)
	}
	return nil
}

// waitEmpty waits until the last pod is gone: a real one takes some time to end.
func (d *demo) waitEmpty() error {
	var left string
	ctx, cancel := context.WithTimeout(d.ctx, time.Minute)
	defer cancel()
	var err error
	waitErr := wait(ctx, "objects to go", func() bool {
		left, err = d.get("kubectl", "get", "all,configmaps,secrets,"+d.poolResource(), "-o", "name")
		left = strings.ReplaceAll(left, "configmap/kube-root-ca.crt", "") // every namespace has it
		return err != nil || strings.TrimSpace(left) == ""
	})
	if waitErr != nil {
		return fmt.Errorf("%w; left: %s", waitErr, strings.Join(strings.Fields(left), ", "))
	}
	return err
}
