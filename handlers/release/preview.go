package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/handlers/release/changes"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
	"octo-operator/names"
	"octo-operator/scripts"
	"octo-operator/text"
)

// What helm would do.
const (
	ActionInstall = "install"
	ActionUpgrade = "upgrade"
	ActionNothing = "nothing"
)

// Preview is what a deploy would do. It holds no secrets.
type Preview struct {
	Release   string `json:"release"` // "": it was refused before that was known
	Namespace string `json:"namespace"`
	Chart     string `json:"chart"`
	Version   string `json:"version"`          // of the chart; "": not known
	Action    string `json:"action,omitempty"` // one of Action…; "": refused
	Refused   string `json:"refused,omitempty"`

	// Busy tells that it is refused because some helm works on the release, or was killed while it did.
	Busy bool `json:"-"`

	Values  []merge.Origin  `json:"values"`
	LeftOut []merge.LeftOut `json:"leftOut,omitempty"`

	Summary  string           `json:"summary,omitempty"` // of the changes; "": not known
	Changes  []changes.Change `json:"changes,omitempty"` // of objects: without those that stay as they are
	Restarts []Restart        `json:"restarts,omitempty"`
	Hooks    []string         `json:"hooks,omitempty"` // such as "Job web-migrate (pre-upgrade)": helm runs them, and the plan has not
	Notes    []string         `json:"notes,omitempty"`

	// Diff is the text of ChangesFile as the deploy would write it.
	Diff string `json:"diff,omitempty"`
	// Changing tells whether something would change in the cluster besides helm's own record, or may.
	Changing bool `json:"changing"`
}

// Restart is a workload whose pods would be replaced.
type Restart struct {
	Workload string `json:"workload"` // such as "Deployment octo/web"
	Why      string `json:"why"`
}

// Preview goes through the steps of a deploy without changing anything: neither the cluster nor a release that is stuck. t is a scratch task. If
// the deploy would be refused, Preview.Refused has the reason. An error means that it is not known what would happen.
func (d *Deployer) Preview(ctx context.Context, t *dispatch.Task, w hub.WorkloadDeployed) (p Preview, err error) {
	p = Preview{Chart: w.ChartName, Version: w.ChartVersion, Values: []merge.Origin{}}
	free := func(ctx context.Context, t *dispatch.Task, r names.Release, labels map[string]string) (map[string]string, error) {
		if !isStuck(labels["status"]) {
			return labels, nil
		}
		p.Notes = append(p.Notes, "a killed helm has left the release "+labels["status"]+": the deploy recovers it first")
		err := d.stuck.checkOrphaned(ctx, t, r, time.Now())
		p.Busy = err != nil && !errors.Is(err, kube.ErrUnreachable)
		return labels, err
	}
	planned, err := d.plan(ctx, t, w, free)
	if planned != nil {
		err = errors.Join(err, planned.preview(ctx, &p))
	}
	if t.Release.Name != "" {
		p.Release, p.Namespace = t.Release.Name, t.Release.Namespace
	}
	if err == nil || errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil {
		return p, err
	}
	p.Action, p.Changing = "", false
	p.Refused = t.Redacted(t.Explained(ctx, err).Error())
	return p, nil
}

// preview goes on after plan. The error is why the deploy would be refused.
func (d *Deployment) preview(ctx context.Context, p *Preview) error {
	p.Version = d.chart.Version
	if err := d.Merge(ctx); err != nil {
		return err
	}
	if err := d.useLiveSecrets(ctx, p); err != nil {
		return err
	}
	if err := d.previewValues(ctx, p); err != nil {
		return err
	}
	unchanged, err := d.Unchanged(ctx)
	if err != nil {
		return err
	}
	if said := d.task.Message(nil); said != "" { // as the deploy would report it: that there is nothing to do, or why there is
		p.Notes = append(p.Notes, strings.Split(said, "\n")...)
	}
	if unchanged {
		none := changes.Join(nil, 0)
		p.Action, p.Summary, p.Diff = ActionNothing, none.Summary, none.Text
		return nil
	}
	p.Action = ActionUpgrade
	if d.live.labels == nil {
		p.Action = ActionInstall
	}
	return d.previewChart(ctx, p)
}

// previewValues tells the layer of each value. A value that is not flagged as secret may hold one: it is redacted as in the log, and what the chart has
// put into a Secret so far is taken out.
func (d *Deployment) previewValues(ctx context.Context, p *Preview) error {
	values, leftOut, err := merge.Explain(layers(d.settings, d.Event, d.Release, d.chart, d.replicas.value))
	if err != nil {
		return err
	}
	_, secrets, err := d.declaredBefore(ctx)
	if err != nil {
		return err
	}
	redact, err := without(d.task, nil, secrets)
	if err != nil {
		return err
	}
	RedactOrigins(values, redact.Value)
	p.Values, p.LeftOut = values, leftOut
	return nil
}

// renderedFile is the manifest with its hooks, as workload-plan leaves it.
const renderedFile = "rendered.yaml"

// previewChart renders the chart, and finds out what it changes.
func (d *Deployment) previewChart(ctx context.Context, p *Preview) error {
	t := d.task
	if err := t.Write(valuesFile, d.document.YAML); err != nil {
		return err
	}
	variables, err := d.lookVariables(ctx)
	if err != nil {
		return err
	}
	maps.Copy(variables, d.scriptVariables())
	t.OnCommand = d.hideChartSecrets
	if err := t.Script(ctx, scripts.WorkloadPlan, variables); err != nil {
		return err
	}
	if d.scripts.Replaced(scripts.WorkloadDeploy) {
		p.Notes = append(p.Notes, "this environment has a workload-deploy of its own: it may do something else than the plan says")
	}
	rendered, err := readManifest(t.Path(renderedFile))
	if err != nil {
		return err
	}
	hooks, err := kube.Hooks(rendered, d.Release.Namespace)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if at := h.Runs(p.Action); len(at) > 0 {
			p.Hooks = append(p.Hooks, text.Printable(h.String()+" ("+strings.Join(at, ", ")+")"))
		}
	}
	manifest, err := readManifest(t.Path(ManifestFile))
	if err != nil {
		return err
	}
	found, err := d.compare(ctx, manifest)
	if err != nil {
		return err
	}
	RedactOrigins(p.Values, found.redact.Value) // what the chart puts into a Secret now
	p.Summary, p.Diff = found.Summary, found.Text
	p.Changes = slices.DeleteFunc(slices.Clone(found.Changes), func(c changes.Change) bool { return c.State == changes.Same })
	if err := d.previewRestarts(ctx, p); err != nil {
		return err
	}
	p.Changing = found.Any() || len(p.Restarts) > 0 || len(p.Hooks) > 0
	if len(found.foreign) > 0 {
		return errors.New(strings.Join(found.foreign, "\n"))
	}
	return nil
}

// previewRestarts tells which workloads get new pods: those whose template changes, and of the others those that use a Secret that changes.
func (d *Deployment) previewRestarts(ctx context.Context, p *Preview) error {
	helms := map[string]bool{}
	for _, c := range p.Changes {
		if c.Pods {
			helms[strings.ToLower(c.Kind)+"/"+c.Name] = true
			p.Restarts = append(p.Restarts, Restart{c.String(), "its pod template changes"})
		}
	}
	auto, manual, err := d.secrets.stillNeeded(ctx, d.Release, d.secret.restarts)
	if err != nil {
		return err
	}
	keys := "it uses keys of the Secret that change: " + text.Printable(d.secret.restarts.keys())
	for _, name := range slices.Sorted(maps.Keys(auto.Workloads)) {
		if !helms[name] {
			o := workloadObject(d.Release, name)
			p.Restarts = append(p.Restarts, Restart{o.Kind + " " + o.Namespace + "/" + o.Name, keys})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(manual.Workloads)) {
		p.Notes = append(p.Notes, name+" is not restarted, and keeps old secrets until somebody replaces its pods: it is paused, or has the update strategy OnDelete")
	}
	return nil
}

// useLiveSecrets replaces secret values that were removed from an event when its run ended by those in the cluster.
func (d *Deployment) useLiveSecrets(ctx context.Context, p *Preview) (err error) {
	var removed, unknown []string
	for key, value := range d.document.Secrets {
		if value == hub.RemovedSecret {
			removed = append(removed, key)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	known := Secrets(d.settings, d.Event)
	for _, key := range slices.Sorted(slices.Values(removed)) {
		live, is := dataOf(d.live.secret)[key]
		if !is {
			unknown = append(unknown, key)
			continue
		}
		d.document.Secrets[key] = string(live)
		known = append(known, string(live))
	}
	p.Notes = append(p.Notes, "the event's secret values were removed when its run ended: those of the cluster are taken for them")
	if len(unknown) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("secret values that are not in the cluster either count as changed: %s", text.Printable(strings.Join(unknown, ", "))))
	}
	d.task.Redact = exec.NewRedactor(known...)
	d.secret, err = d.secrets.plan(ctx, d)
	return err
}
