package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/kube"
)

// HookSecretsFile has the values of those Secrets that a chart makes as hooks, in a run directory while the script runs: they are not in ManifestFile,
// and may stand in other objects. It is a JSON list of base64, and not there if the chart makes none.
const HookSecretsFile = "hook-secrets.json"

// keepHookSecrets writes the values of the Secrets that are in the rendered manifest, and not in what helm applies as the release.
func keepHookSecrets(file string, rendered, applied []byte) error {
	all, err := kube.SecretValues(rendered)
	if err != nil {
		return err
	}
	rest, err := kube.SecretValues(applied)
	if err != nil {
		return err
	}
	is := map[string]bool{}
	for _, value := range rest {
		is[value] = true
	}
	var values [][]byte
	for _, value := range all {
		if !is[value] {
			values = append(values, []byte(value))
		}
	}
	if len(values) == 0 {
		return nil
	}
	text, err := json.Marshal(values)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	return err
}

// hookSecrets are the values in a run's HookSecretsFile.
func hookSecrets(t *dispatch.Task) ([]string, error) {
	f, err := os.Open(t.Path(HookSecretsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := bounds.ReadAll(f, 2*bounds.Manifest)
	var values [][]byte
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", HookSecretsFile, err)
	}
	known := make([]string, len(values))
	for i, value := range values {
		known[i] = string(value)
	}
	return known, nil
}

// withoutSecrets takes secrets out of what a run shows and keeps: those of its event, and the values of the Secrets that its chart makes.
type withoutSecrets struct {
	event *exec.Redactor
	chart *exec.Values
}

// without is withoutSecrets of a run. The error says that the values are too many.
func without(t *dispatch.Task, values []string) (withoutSecrets, error) {
	chart, err := exec.NewValues(slices.Compact(slices.Sorted(slices.Values(values)))...)
	return withoutSecrets{t.Redact, chart}, err
}

// Text is a text of any kind.
func (w withoutSecrets) Text(s string) string { return w.chart.TextWith(w.event, s) }

// Value is the value of a field, or a line of one.
func (w withoutSecrets) Value(s string) string { return w.chart.ValueWith(w.event, s) }

// hideChartSecrets keeps the values of the Secrets that the chart makes out of what is told of the deploy, once the script has rendered it: the API
// server quotes what it refuses, and pods what they fail with. It takes a command that the script announces. Values that are part of a name, as those of
// a Secret with the database's host are, stay: else nobody would know what a status is about.
func (d *Deployment) hideChartSecrets(command string) {
	t := d.task
	if d.hides || strings.Contains(command, "helm template ") || !t.Has(ManifestFile) {
		return
	}
	d.hides = true
	manifest, err := readManifest(t.Path(ManifestFile))
	var hooks []string
	if err == nil {
		hooks, err = hookSecrets(t)
	}
	d.hide(manifest, hooks, err)
}

// hideInstalledSecrets is hideChartSecrets for a revision that an earlier try of the event has made: this one renders nothing.
func (d *Deployment) hideInstalledSecrets(ctx context.Context, version string) {
	manifest, hooks, err := d.cluster.ManifestAndHooks(ctx, d.Release.Namespace, d.Release.Name, version)
	var values []string
	if err == nil {
		values, err = kube.SecretValues(hooks)
	}
	d.hide(manifest, values, err)
}

// hide keeps the values of the Secrets in a manifest, and those of hooks, out of what is told of the deploy. failed is why they are not known; nil: they
// are.
func (d *Deployment) hide(manifest []byte, hooks []string, failed error) {
	t := d.task
	secrets, names, err := d.chartSecrets(manifest)
	if err = errors.Join(failed, err); err == nil {
		secrets = slices.DeleteFunc(append(secrets, hooks...), func(value string) bool { return strings.Contains(names, strings.TrimSpace(value)) })
		var values *exec.Values
		if values, err = exec.NewValues(secrets...); err == nil {
			t.Hide(values)
		}
	}
	if err != nil {
		t.Log.Warn("values of the chart's Secrets are not kept out of messages", "reason", t.Redact.String(err.Error()), "next", "the deploy goes on")
	}
}

// chartSecrets are the values of the Secrets in a manifest, and the names of what there is, a line each.
func (d *Deployment) chartSecrets(manifest []byte) (secrets []string, names string, err error) {
	if secrets, err = kube.SecretValues(manifest); err != nil {
		return nil, "", err
	}
	all, err := kube.Objects(manifest, d.Release.Namespace)
	list := []string{d.Release.Name, d.Release.Namespace, d.Event.WorkloadName, d.Event.TenantID, d.Event.ChartName}
	for _, o := range all {
		list = append(list, o.Name)
	}
	return secrets, strings.Join(list, "\n"), err
}
