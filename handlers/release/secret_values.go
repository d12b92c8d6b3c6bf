package release

import (
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
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
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

// without is withoutSecrets of a run. names are those of its objects: see exec.Values. The error says that the values are too many.
func without(t *dispatch.Task, names, values []string) (withoutSecrets, error) {
	names = append([]string{t.Release.Name, t.Release.Namespace}, names...)
	chart, err := exec.NewValues(names, slices.Compact(slices.Sorted(slices.Values(values)))...)
	return withoutSecrets{t.Redact, chart}, err
}

// withoutSecretsOf is without for the Secrets in a manifest, and for more values. The names in the manifest stay, and further ones.
func withoutSecretsOf(t *dispatch.Task, manifest []byte, more []string, further ...string) (withoutSecrets, error) {
	secrets, err := kube.SecretValues(manifest)
	if err != nil {
		return withoutSecrets{}, err
	}
	names, err := kube.Names(manifest)
	if err != nil {
		return withoutSecrets{}, err
	}
	return without(t, append(names, further...), append(secrets, more...))
}

// Text is a text of any kind.
func (w withoutSecrets) Text(s string) string { return w.chart.TextWith(w.event, s) }

// Value is the value of a field, or a line of one.
func (w withoutSecrets) Value(s string) string { return w.chart.ValueWith(w.event, s) }

// hideChartSecrets keeps the values of the Secrets that the chart makes out of what is told of the deploy, once the script has rendered it: the API
// server quotes what it refuses, and pods what they fail with. It takes a command that the script announces.
func (d *Deployment) hideChartSecrets(command string) {
	if d.hides || strings.Contains(command, "helm template ") || !d.task.Has(ManifestFile) {
		return
	}
	d.hides = true
	manifest, err := readManifest(d.task.Path(ManifestFile))
	var hooks []string
	if err == nil {
		hooks, err = hookSecrets(d.task)
	}
	if err == nil {
		err = hideSecrets(d.task, d.Release, manifest, hooks)
	}
	warnOfSecrets(d.task, err)
}

// hideInstalled is hideChartSecrets for a revision: helm has rendered it once more, where a template may make another password each time, and a
// deploy that goes on after a kill renders nothing. hooks are the manifests of its hooks.
func hideInstalled(t *dispatch.Task, r names.Release, manifest, hooks []byte) {
	secrets, err := kube.SecretValues(hooks)
	if err == nil {
		err = hideSecrets(t, r, manifest, secrets)
	}
	warnOfSecrets(t, err)
}

// hideSecrets keeps the values of the Secrets in a manifest, and more values, out of what is told of the event.
func hideSecrets(t *dispatch.Task, r names.Release, manifest []byte, more []string) error {
	w, _ := hub.Decode[hub.WorkloadDeployed](t.Event.Argument) // as far as it can be read
	found, err := withoutSecretsOf(t, manifest, more, r.Name, r.Namespace, w.WorkloadName, w.TenantID, w.ChartName)
	if err == nil {
		t.Hide(found.chart)
	}
	return err
}

func warnOfSecrets(t *dispatch.Task, err error) {
	if err != nil {
		t.Log.Warn("values of the chart's Secrets are not kept out of messages", "reason", t.Redact.String(err.Error()), "next", "the deploy goes on")
	}
}
