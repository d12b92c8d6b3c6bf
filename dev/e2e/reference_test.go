package e2e

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"

	"octo-operator/dev/devcontroller"
)

// reference does what the reference operator does in a cluster: it runs its helm commands with its flags, and sends its requests to the
// API server. Older versions of it have helm 3, newer ones helm 4.
type reference struct {
	*world
	helmPath string
	onFail   string // its flag for what helm does after a failure
	settings string // the values that it adds
	home     string // helm's home
}

func (w *world) reference(helm, onFail string) *reference {
	return &reference{w, w.helmOf(helm), onFail, "communicationControllerServiceUri: \"" + w.controller.URL() + "\"\n", w.TempDir()}
}

// withHelm makes the operator use helm 3 or 4.
func (w *world) withHelm(version string) {
	w.Helper()
	w.env = append(w.env, "PATH="+filepath.Dir(w.helmOf(version))+":"+os.Getenv("PATH"))
}

// changes are the migrations from the reference operator, with helm 3 or helm 4, to this one.
var changes = []struct{ from, onFail, to string }{{"3", "--atomic", "4"}, {"4", "--rollback-on-failure", "4"}, {"3", "--atomic", "3"}}

// helmOf returns the path of a version of helm.
func (w *world) helmOf(version string) string {
	w.Helper()
	if version == "3" {
		helm3 := os.Getenv("OCTO_HELM3")
		if helm3 == "" {
			w.Fatal("helm 3 is not there: run make test, or devcluster tools helm3")
		}
		dir := w.TempDir()
		w.must(os.Symlink(helm3, filepath.Join(dir, "helm")))
		return filepath.Join(dir, "helm")
	}
	helm, err := osexec.LookPath("helm")
	w.must(err)
	return helm
}

// run runs a command as the reference operator does, and returns its output.
func (o *reference) run(name string, args ...string) (string, error) {
	o.Helper()
	cmd := osexec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+o.home, "HELM_CACHE_HOME="+o.home, "HELM_DATA_HOME="+o.home)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (o *reference) mustRun(name string, args ...string) string {
	o.Helper()
	out, err := o.run(name, args...)
	if err != nil {
		o.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// name is the reference operator's name for an object of a tenant: it cuts off the end if it is too long.
func (o *reference) name(tenant, id string) string {
	name := tenant + "-" + id
	return strings.TrimRight(name[:min(len(name), 53)], "-")
}

// object creates an object, replacing one of the same name. The reference operator sends no field manager: the API server then uses the
// program's name, or "unknown".
func (o *reference) object(apiVersion, kind, name string, more map[string]any) {
	o.Helper()
	more["apiVersion"], more["kind"] = apiVersion, kind
	metadata := more["metadata"].(map[string]any)
	metadata["name"], metadata["namespace"] = name, o.namespace
	text, err := json.Marshal(more)
	o.must(err)
	file := filepath.Join(o.TempDir(), "object.json")
	o.must(os.WriteFile(file, text, 0o600))
	o.kubectl("delete", kind, name, "--ignore-not-found")
	o.kubectl("create", "--field-manager", "unknown", "-f", file)
}

func (o *reference) labels(tenant, key, id string) map[string]any {
	return map[string]any{
		"octo-mesh.meshmakers.io/tenant": tenant, "octo-mesh.meshmakers.io/" + key: id, "octo-mesh.meshmakers.io/managed-by": "communication-operator",
	}
}

// pool creates a pool's broker secret and resource.
func (o *reference) pool(p devcontroller.Pool) {
	o.Helper()
	metadata := func() map[string]any {
		return map[string]any{
			"labels":      o.labels(p.TenantID, "pool-rt-id", p.ID),
			"annotations": map[string]any{"octo-mesh.meshmakers.io/pool-name": "Main Pool"},
		}
	}
	o.object("v1", "Secret", o.name(p.TenantID, p.ID)+"-octo-mesh-connection", map[string]any{
		"metadata": metadata(), "type": "Opaque", "stringData": map[string]any{"brokerusername": "octo", "brokerpassword": brokerPassword},
	})
	o.object("octo-mesh.meshmakers.io/v1alpha1", "CommunicationPool", o.name(p.TenantID, p.ID), map[string]any{
		"metadata": metadata(), "spec": map[string]any{"tenantId": p.TenantID, "poolRtId": p.ID, "poolName": "Main Pool"},
	})
}

// deploy deploys a workload. replicas, if not empty, is the number that it pins.
func (o *reference) deploy(w devcontroller.Workload, replicas string) (string, error) {
	o.Helper()
	release := o.name(w.Pool.TenantID, w.RtID)
	files := o.values(w, o.secret(w, release))
	sum := sha1.Sum([]byte(w.RepositoryURL))
	alias := "octo-" + hex.EncodeToString(sum[:6])
	o.mustRun(o.helmPath, "repo", "add", alias, w.RepositoryURL, "--force-update")
	o.mustRun(o.helmPath, "repo", "update", alias)
	if out, err := o.run(o.helmPath, "history", release, "--namespace", o.namespace, "-o", "json", "--max", "1"); err == nil && strings.Contains(out, "pending-") {
		o.Fatalf("the reference operator would wait for a helm that works: %s", out)
	}
	upgrade := func(flag string) []string {
		args := append([]string{"upgrade", "--install", release, alias + "/" + w.ChartName, "--version", w.ChartVersion, "--namespace", o.namespace, flag}, files...)
		if replicas != "" {
			args = append(args, "--set", "replicaCount="+replicas)
		}
		return args
	}
	o.mustRun(o.helmPath, upgrade("--dry-run=server")...)
	return o.run(o.helmPath, upgrade(o.onFail)...)
}

// secret deletes and recreates the release's Secret, and returns its name.
func (o *reference) secret(w devcontroller.Workload, release string) string {
	o.Helper()
	name, data := release+"-octo-secrets", map[string]any{"secrets.rabbitmq": brokerPassword}
	for _, v := range w.Values {
		if v.IsSecret {
			data[v.Path] = v.Value
		}
	}
	labels := o.labels(w.Pool.TenantID, "pool-rt-id", w.Pool.ID)
	labels["octo-mesh.meshmakers.io/workload-rt-id"] = w.RtID
	o.object("v1", "Secret", name, map[string]any{
		"metadata": map[string]any{"labels": labels, "annotations": map[string]any{"octo-mesh.meshmakers.io/workload-name": w.Name}},
		"type":     "Opaque", "stringData": data,
	})
	return name
}

// values writes its three files: in the first and the last all strings are quoted.
func (o *reference) values(w devcontroller.Workload, secret string) (flags []string) {
	o.Helper()
	overrides := map[string]any{}
	for _, v := range append([]devcontroller.Override{{Path: "secrets.rabbitmq", IsSecret: true}}, w.Values...) {
		at, keys := overrides, strings.Split(v.Path, ".")
		for _, key := range keys[:len(keys)-1] {
			if at[key] == nil {
				at[key] = map[string]any{}
			}
			at = at[key].(map[string]any)
		}
		at[keys[len(keys)-1]] = v.Value
		if v.IsSecret {
			at[keys[len(keys)-1]] = map[string]any{"valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": secret, "key": v.Path}}}
		}
	}
	text, err := json.Marshal(overrides)
	o.must(err)
	dir := o.TempDir()
	for _, file := range []struct{ name, text string }{
		{"values-context.yaml", fmt.Sprintf("tenantId: %q\nadapterRtId: %q\n%s", w.Pool.TenantID, w.RtID, o.settings)},
		{"values-base.yaml", w.ValuesYaml},
		{"values-overrides.yaml", string(text)},
	} {
		path := filepath.Join(dir, file.name)
		o.must(os.WriteFile(path, []byte(file.text), 0o600))
		flags = append(flags, "-f", path)
	}
	return flags
}

// scale patches every Deployment of the release.
func (o *reference) scale(w devcontroller.Workload, replicas int) {
	o.Helper()
	o.kubectl("patch", "deployment", o.name(w.Pool.TenantID, w.RtID), "--type=merge", "--field-manager", "unknown",
		"--patch", fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

// undeploy uninstalls the release and deletes its Secret.
func (o *reference) undeploy(release string) {
	o.Helper()
	o.mustRun(o.helmPath, "uninstall", release, "--namespace", o.namespace, "--ignore-not-found")
	o.kubectl("delete", "secret", release+"-octo-secrets", "--ignore-not-found")
}
