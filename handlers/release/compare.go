package release

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
	"octo-operator/handlers/release/changes"
	"octo-operator/kube"
	"octo-operator/names"
)

// comparedAtATime is how many objects are compared at a time, of all deploys together. Each takes up to some MiB.
const comparedAtATime = 4

// helmManager is the field manager of helm. Applying with it removes the fields that helm has applied before and that are no longer there.
const helmManager = "helm"

// compared is what a deploy changes.
type compared struct {
	changes.Report
	// foreign are objects that helm refuses to take: they are there, and not this release's.
	foreign []string
	redact  withoutSecrets // what is secret of all objects
}

// compare compares the objects of a manifest, and the release's Secret, with what the cluster has. Nothing is changed. An error means that nobody
// can tell what the deploy changes. Where only one object cannot be compared, the report says so.
func (d *Deployment) compare(ctx context.Context, manifest []byte) (compared, error) {
	all, err := kube.Declare(manifest, d.Release.Namespace)
	if err != nil {
		return compared{}, err
	}
	before, known, err := d.declaredBefore(ctx)
	if err != nil {
		return compared{}, err
	}
	own := d.secretChange()
	of, err := secretsOf(all)
	if err != nil {
		return compared{}, err
	}
	hooks, err := hookSecrets(d.task)
	if err != nil {
		return compared{}, err
	}
	known = slices.Concat(known, of, hooks, own.Secrets, Secrets(d.settings, d.Event))
	ctx = d.task.AsTenant(ctx)
	items := itemsOf(all, before)
	left := max(0, len(items)-bounds.Compared)
	items = items[:len(items)-left]

	isSecret := func(i *item) bool { return changes.IsSecret(i.Kind) }
	called, err := kube.Names(manifest)
	if err != nil {
		return compared{}, err
	}
	for _, i := range items {
		called = append(called, i.Name)
	}
	redact, err := without(d.task, called, known)
	if err != nil {
		return compared{}, err
	}
	if err := d.compareSome(ctx, items, isSecret, redact); err != nil {
		return compared{}, err
	}
	for _, i := range items {
		known = append(known, i.change.Secrets...)
	}
	if redact, err = without(d.task, called, known); err != nil {
		return compared{}, err
	}
	err = d.compareSome(ctx, items, func(i *item) bool { return !isSecret(i) }, redact)
	if err != nil && !errors.Is(err, errTooSlow) { // what is known by then is told
		return compared{}, err
	}
	list, foreign := []changes.Change{own}, []string(nil)
	for _, i := range items {
		if i.change.State == "" {
			i.change = changes.Of(changes.Object{Kind: i.Kind, Namespace: i.Namespace, Name: i.Name, Unknown: errTooSlow.Error()}, nil)
		}
		list = append(list, i.change)
		if i.foreign != "" {
			foreign = append(foreign, i.foreign)
		}
	}
	return compared{changes.Join(list, left), foreign, redact}, nil
}

// secretsOf returns the plain values of the declared Secrets. So they are hidden even if such a Secret itself cannot be compared.
func secretsOf(all []kube.Declared) (values []string, err error) {
	for _, o := range all {
		if !changes.IsSecret(o.Kind) {
			continue
		}
		content, err := o.Content()
		if err != nil {
			return nil, err
		}
		values = append(values, changes.SecretValues(content)...)
	}
	return values, nil
}

// item is an object that is compared.
type item struct {
	kube.Object
	before, now *kube.Declared // in the manifest of the revision before, and in the new one; nil: it is not in it
	change      changes.Change
	foreign     string // whose it is, if it is another's
}

// itemsOf are the objects of the new manifest, and behind them those that are only in the one before.
func itemsOf(now, before []kube.Declared) []*item {
	type key struct{ group, kind, namespace, name string }
	of := func(o kube.Object) key {
		group, _, grouped := strings.Cut(o.APIVersion, "/")
		if !grouped {
			group = ""
		}
		return key{group, o.Kind, o.Namespace, o.Name}
	}
	older := map[key]*kube.Declared{}
	for i := range before {
		older[of(before[i].Object)] = &before[i]
	}
	var items []*item
	for i := range now {
		o := now[i].Object
		items = append(items, &item{Object: o, now: &now[i], before: older[of(o)]})
		delete(older, of(o))
	}
	for i := range before {
		if o := &before[i]; older[of(o.Object)] == o {
			items = append(items, &item{Object: o.Object, before: o})
		}
	}
	return items
}

// declaredBefore is what the release consists of before the deploy: the revision from which helm goes on. secrets are the values of the Secrets in it,
// of its hooks, and of a newer revision that has failed half-way.
func (d *Deployment) declaredBefore(ctx context.Context) (before []kube.Declared, secrets []string, err error) {
	if len(d.live.revisions) == 0 {
		return nil, nil, nil
	}
	newest := d.live.revisions[0]
	from, read := newest, []map[string]string{newest}
	if i := slices.IndexFunc(d.live.revisions, func(labels map[string]string) bool { return labels["status"] == "deployed" }); i >= 0 {
		from = d.live.revisions[i]
	}
	if from["version"] != newest["version"] {
		read = append(read, from)
	}
	var manifest, hooks []byte // of from after the loop: it is the last one
	for _, labels := range read {
		manifest, hooks, err = d.cluster.ManifestAndHooks(ctx, d.Release.Namespace, d.Release.Name, labels["version"])
		if err != nil {
			return nil, nil, err
		}
		for _, text := range [][]byte{manifest, hooks} {
			values, err := kube.SecretValues(text)
			if err != nil {
				return nil, nil, err
			}
			secrets = append(secrets, values...)
		}
	}
	before, err = kube.Declare(manifest, d.Release.Namespace)
	return before, secrets, err
}

// compareSome compares those of the items that are meant, several at a time. The error says that the API server does not answer, or is ctx's.
func (d *Deployment) compareSome(ctx context.Context, items []*item, meant func(*item) bool, redact withoutSecrets) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var working sync.WaitGroup
	for _, i := range items {
		if !meant(i) {
			continue
		}
		select {
		case d.comparing <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		working.Go(func() {
			defer func() { <-d.comparing }()
			if err := d.compareOne(ctx, i, redact); err != nil {
				stop(err)
			}
		})
	}
	working.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// compareOne compares an object. The error is that of compareSome.
func (d *Deployment) compareOne(ctx context.Context, i *item, redact withoutSecrets) error {
	o := changes.Object{Kind: i.Kind, Namespace: i.Namespace, Name: i.Name}
	content, before, err := i.contents()
	if err == nil {
		var c kube.Compared
		if content != nil {
			d.markAsHelm(content)
		}
		c, err = d.cluster.Compare(ctx, i.Object, content, helmManager)
		o.Namespace, o.Live, o.Made = c.Namespace, c.Live, c.Made
		if c.Live != nil {
			i.foreign = d.foreign(i, c.Live)
			o.Stays = i.now == nil && annotationsOf(c.Live)["helm.sh/resource-policy"] == "keep"
		}
		if i.foreign != "" && !errors.Is(err, kube.ErrUnreachable) {
			// helm refuses to take it. What a diff, or the number of changed keys in a status, told of it would let tenants guess its values.
			o.Live, o.Made, err = nil, nil, errors.New(i.foreign)
		}
		if o.Live != nil && o.Made != nil && before != nil && !d.serverSide {
			changes.Without(c.Made, before, content)
		}
	}
	if errors.Is(err, kube.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		o.Unknown = err.Error()
	}
	i.change = changes.Of(o, redact)
	return nil
}

// contents are what the manifests say of an item; nil: nothing.
func (i *item) contents() (now, before map[string]any, err error) {
	if i.now != nil {
		if now, err = i.now.Content(); err != nil {
			return nil, nil, err
		}
	}
	if i.before != nil && i.now != nil {
		before, err = i.before.Content()
	}
	return now, before, err
}

// markAsHelm adds the label and annotations by which helm marks an object as the release's.
func (d *Deployment) markAsHelm(object map[string]any) {
	metadata := child(object, "metadata")
	child(metadata, "labels")["app.kubernetes.io/managed-by"] = "Helm"
	annotations := child(metadata, "annotations")
	annotations["meta.helm.sh/release-name"], annotations["meta.helm.sh/release-namespace"] = d.Release.Name, d.Release.Namespace
}

// child is the map under a key, made if there is none.
func child(object map[string]any, key string) map[string]any {
	found, is := object[key].(map[string]any)
	if !is {
		found = map[string]any{}
		object[key] = found
	}
	return found
}

func annotationsOf(object map[string]any) map[string]any { return ofMetadata(object, "annotations") }

func labelsOf(object map[string]any) map[string]any { return ofMetadata(object, "labels") }

// ofMetadata is a map of an object's metadata; nil, which can be read, if there is none.
func ofMetadata(object map[string]any, key string) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	found, _ := metadata[key].(map[string]any)
	return found
}

// foreign says whose an object is, if helm would refuse to take it into the release or the guard would refuse to change it; "": neither would.
func (d *Deployment) foreign(i *item, live map[string]any) string {
	known := i.now == nil || i.before != nil // to the release: helm does not ask whose it is
	annotations := annotationsOf(live)
	owner, namespace := annotations["meta.helm.sh/release-name"], annotations["meta.helm.sh/release-namespace"]
	switch own := owner == d.Release.Name && namespace == d.Release.Namespace; {
	case own && labelsOf(live)["app.kubernetes.io/managed-by"] == "Helm":
		return ""
	case own && known:
		return ""
	case own:
		return fmt.Sprintf("%s is in the cluster already, without the label by which helm knows its own: set app.kubernetes.io/managed-by=Helm, or delete it", i.Object)
	case (owner == nil || namespace == nil) && known:
		return "" // somebody has taken away that it is
	case owner == nil || namespace == nil:
		return fmt.Sprintf("%s is in the cluster already, and is no release's: delete it, or give the chart's another name", i.Object)
	}
	return fmt.Sprintf("%s is in the cluster already, and is release %v's in namespace %v: give the chart's another name", i.Object, owner, namespace)
}

// secretChange is what happens to the release's own Secret, which the operator writes and not helm.
func (d *Deployment) secretChange() changes.Change {
	s := d.secret
	o := changes.Object{Kind: "Secret", Namespace: d.Release.Namespace, Name: s.name, Live: secretObject(s.live)}
	switch {
	case s.writes:
		o.Made = map[string]any{}
		if err := yaml.Unmarshal(s.manifest, &o.Made); err != nil { // it is the operator's own
			o.Unknown = err.Error()
		}
		if s.live != nil && !s.foreign { // what others have set stays
			metadata := child(o.Made, "metadata")
			for key, has := range map[string]map[string]string{"labels": s.live.Labels, "annotations": s.live.Annotations} {
				into := child(metadata, key)
				for name, value := range has {
					if _, set := into[name]; !set {
						into[name] = value
					}
				}
			}
		}
	case len(s.wanted) > 0 || !names.MadeFor(s.live, d.Event.Workload):
		o.Made = secretObject(s.live) // as it is
	}
	for _, object := range []map[string]any{o.Live, o.Made} {
		delete(annotationsOf(object), changeAnnotation)
	}
	return changes.Of(o, withoutSecrets{event: d.task.Redact})
}

// secretObject is a Secret as the API server has it; nil of nil.
func secretObject(s *kube.Secret) map[string]any {
	if s == nil {
		return nil
	}
	texts := func(from map[string]string) map[string]any {
		all := map[string]any{}
		for key, value := range from {
			all[key] = value
		}
		return all
	}
	data := map[string]any{}
	for key, value := range maps.All(s.Data) {
		data[key] = base64.StdEncoding.EncodeToString(value)
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": s.Type, "data": data,
		"metadata": map[string]any{"name": s.Name, "namespace": s.Namespace, "labels": texts(s.Labels), "annotations": texts(s.Annotations)},
	}
}
