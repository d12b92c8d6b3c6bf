package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"octo-operator/dispatch"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/text"
)

// secrets changes the Secrets of releases. A deploy writes the release's Secret before helm runs, and its pods may never become ready. Until they
// are, the change is called open: an annotation of the Secret names the workloads that must be restarted, and a second Secret holds the old
// values. So even if the operator is killed, the next one can do the restarts or restore the old values.
type secrets struct{ cluster *kube.Client }

// changeAnnotation is on a release's Secret while a change of it is open: restarts, as JSON.
const changeAnnotation = names.Group + "/secret-change"

// secretChange is what a deploy does to the release's Secret.
type secretChange struct {
	name     string
	live     *kube.Secret      // the one in the cluster; nil: there is none
	wanted   map[string]string // keys and values; empty: no Secret is needed
	writes   bool              // live is not what is wanted: the script is to write it
	manifest []byte            // what it writes
	// foreign: live has keys that are not wanted. Applying would leave them there if somebody else has set them.
	foreign bool
	// keeps: what live holds is copied before it is changed. Not where an earlier change is open: then it has never worked.
	keeps    bool
	open     bool     // this change, or an earlier one, must be ended when the pods are ready
	restarts restarts // of those that use a key whose value changes
}

// changes tells whether the deploy must do something for the Secret or for those who use it.
func (c secretChange) changes() bool { return c.writes || len(c.restarts.Workloads) > 0 }

// apply is the name of the Secret if it is to be written.
func (c secretChange) apply() string {
	if !c.writes {
		return ""
	}
	return c.name
}

// plan compares the release's Secret with what the deploy wants.
func (s secrets) plan(ctx context.Context, d *Deployment) (secretChange, error) {
	c := secretChange{name: d.Release.SecretName(), live: d.live.secret, wanted: d.document.Secrets}
	if len(c.wanted) == 0 {
		return c, nil
	}
	labels, annotations := names.WorkloadLabels(d.Event.Workload), map[string]string{names.Group + "/workload-name": text.Escaped(d.Event.WorkloadName)}
	if err := checkSecret(c.live, d.Release, d.Event.Workload, d.live.labels != nil); err != nil {
		return c, err
	}
	changed := changedKeys(dataOf(c.live), asData(c.wanted))
	c.writes = c.live == nil || names.TenantProof(c.live.Labels, c.live.Annotations, d.Event.TenantID).Verdict != names.OfThis ||
		len(changed) > 0 || !holds(c.live.Labels, labels) || !holds(c.live.Annotations, annotations)
	// It is set only now: a Secret of an earlier version of the operator, which lacks it, is not written for that alone. An upgrade of the
	// operator would turn every reconciliation into a deploy.
	annotations[names.TenantIDAnnotation] = d.Event.TenantID
	if err := s.planRestarts(ctx, d, &c, changed); err != nil || !c.writes {
		return c, err
	}
	if c.open {
		text, err := json.Marshal(c.restarts)
		if err != nil {
			return c, err
		}
		annotations[changeAnnotation] = string(text)
	}
	var err error
	c.manifest, err = kube.SecretManifest(c.name, d.Release.Namespace, labels, annotations, c.wanted)
	return c, err
}

// planRestarts finds out which workloads must be restarted after the deploy, and whether the old values must be kept until it has worked.
func (s secrets) planRestarts(ctx context.Context, d *Deployment, c *secretChange, changed []string) error {
	c.foreign = slices.ContainsFunc(changed, func(key string) bool { _, wanted := c.wanted[key]; return !wanted })
	before, open, err := openChange(c.live)
	if err != nil {
		return err
	}
	if d.live.labels == nil { // nobody uses it yet
		c.open = open
		return nil
	}
	c.keeps = c.live != nil && len(changed) > 0 && !open
	if c.restarts, err = s.usersOf(ctx, d.Release, changed); err != nil {
		return err
	}
	auto, manual, err := s.stillNeeded(ctx, d.Release, before)
	c.restarts.addAll(auto)
	c.restarts.addAll(manual)
	c.open = open || c.keeps || len(c.restarts.Workloads) > 0
	return err
}

// openChange tells whether a change of the Secret is open, and which restarts it needs.
func openChange(live *kube.Secret) (needed restarts, open bool, err error) {
	if live == nil {
		return needed, false, nil
	}
	text, open := live.Annotations[changeAnnotation]
	if !open {
		return needed, false, nil
	}
	if err := json.Unmarshal([]byte(text), &needed); err != nil {
		return needed, true, fmt.Errorf("cannot read the annotation %s of secret %s in namespace %s: remove it, and restart the pods that use the secret: %w",
			changeAnnotation, live.Name, live.Namespace, err)
	}
	return needed, true, nil
}

// keep makes a copy of the Secret before the deploy of a run changes it.
func (s secrets) keep(ctx context.Context, t *dispatch.Task, r names.Release, live *kube.Secret) error {
	before := *live
	before.Name, before.Labels = r.SecretBefore(), maps.Clone(before.Labels)
	if before.Labels == nil {
		before.Labels = map[string]string{}
	}
	before.Labels[names.RunLabel] = t.ShortID()
	return s.cluster.PutSecret(ctx, names.FieldManager, before)
}

// settle ends the change of the Secret after the pods have become ready. If something cannot be cleaned up, that is logged, and the deploy
// succeeds anyway, because it does no harm.
func (s secrets) settle(ctx context.Context, t *dispatch.Task, d *Deployment) (err error) {
	c := d.secret
	switch {
	case c.open:
		err = s.closeChange(ctx, d.Release)
	case len(c.wanted) == 0 && names.MadeFor(c.live, d.Event.Workload):
		if err = s.remove(ctx, d.Release); err == nil {
			t.Log.Info("secret deleted: the deploy has no secret override", "secret", c.name)
		}
	}
	if err == nil || errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	t.Log.Warn("secrets are left that nobody needs any more", "reason", err, "next", "the next deploy removes them")
	t.Say("the release is ready, but secrets are left that nobody needs any more: " + err.Error())
	return nil
}

// closeChange ends an open change: it deletes the old values. The annotation is removed first, because while it is there the next change would
// not keep the old values.
func (s secrets) closeChange(ctx context.Context, r names.Release) error {
	if err := s.cluster.RemoveAnnotation(ctx, names.FieldManager, r.Namespace, r.SecretName(), changeAnnotation); err != nil {
		return err
	}
	return s.cluster.DeleteSecret(ctx, r.Namespace, r.SecretBefore())
}

// remove deletes the release's Secret, and the copy of what it held before.
func (s secrets) remove(ctx context.Context, r names.Release) error {
	return errors.Join(s.cluster.DeleteSecret(ctx, r.Namespace, r.SecretName()), s.cluster.DeleteSecret(ctx, r.Namespace, r.SecretBefore()))
}

// dataOf is what a Secret holds; an empty map if there is none.
func dataOf(s *kube.Secret) map[string][]byte {
	if s == nil || s.Data == nil {
		return map[string][]byte{}
	}
	return s.Data
}

// asData are values as a Secret has them.
func asData(values map[string]string) map[string][]byte {
	data := map[string][]byte{}
	for key, value := range values {
		data[key] = []byte(value)
	}
	return data
}

// holds tells whether a map has all entries of another one.
func holds(has, wants map[string]string) bool {
	for key, value := range wants {
		if found, there := has[key]; !there || found != value {
			return false
		}
	}
	return true
}

// changedKeys are those that only one of two has, or that have two values, in order.
func changedKeys(from, to map[string][]byte) []string {
	all := maps.Clone(to)
	maps.Copy(all, from)
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		a, inA := from[key]
		b, inB := to[key]
		if inA != inB || string(a) != string(b) {
			changed = append(changed, key)
		}
	}
	return changed
}
