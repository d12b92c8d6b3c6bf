package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// podsOf adds what is wrong with the pods of an object. text is the object's JSON.
func (l *inspection) podsOf(ctx context.Context, o Object, w live, text []byte) error {
	switch kind := groupKind(o); {
	case kind == "Pod":
		var p pod
		if err := json.Unmarshal(text, &p); err != nil {
			return err
		}
		l.pod(p, o.String())
	case !w.observed() || w.Spec.Selector.String() == "":
		return nil // the pods that exist belong to the object's older version
	case kind == "apps/Deployment":
		return l.podsOfDeployment(ctx, o, w)
	case kind == "apps/StatefulSet", kind == "apps/DaemonSet", kind == "apps/ReplicaSet", kind == "batch/Job":
		if kind == "apps/ReplicaSet" {
			l.replicaSet(o, w)
		}
		pods, err := l.podsBy(ctx, w)
		for _, p := range pods[w.Metadata.UID] {
			if w.isCurrent(kind, p) {
				l.pod(p, o.String())
			} else { // an older pod may block the new one, but is no proof that waiting is hopeless
				l.pod(p, "")
			}
		}
		return err
	}
	return nil
}

// isCurrent tells whether a pod was made from the object's current template.
func (w live) isCurrent(kind string, p pod) bool {
	switch kind {
	case "apps/StatefulSet":
		return p.Metadata.Labels["controller-revision-hash"] == w.Status.UpdateRevision
	case "apps/DaemonSet":
		generation := w.Metadata.Annotations["deprecated.daemonset.template.generation"]
		return generation != "" && p.Metadata.Labels["pod-template-generation"] == generation
	}
	return true
}

// podsOfDeployment looks at the newest ReplicaSet and its pods. If it has no pods, it looks at those of older ReplicaSets, which may hold
// what the new pods need.
func (l *inspection) podsOfDeployment(ctx context.Context, o Object, deployment live) error {
	sets, err := list[live](ctx, l.Client, request{path: labelled(collection(apps, deployment.Metadata.Namespace, "replicasets"), deployment.Spec.Selector.String())})
	if err != nil {
		return err
	}
	sets = slices.DeleteFunc(sets, func(set live) bool { return set.Metadata.controller().UID != deployment.Metadata.UID })
	if len(sets) == 0 {
		return nil
	}
	pods, err := l.podsBy(ctx, deployment)
	if err != nil {
		return err
	}
	newest := slices.MaxFunc(sets, func(a, b live) int { return cmp.Compare(a.revision(), b.revision()) })
	l.replicaSet(o, newest)
	for _, p := range pods[newest.Metadata.UID] {
		l.pod(p, o.String())
	}
	if len(pods[newest.Metadata.UID]) > 0 {
		return nil
	}
	for _, set := range sets {
		for _, p := range pods[set.Metadata.UID] {
			l.pod(p, "")
		}
	}
	return nil
}

// revision returns the number by which a Deployment orders its ReplicaSets.
func (w live) revision() int {
	n, _ := strconv.Atoi(w.Metadata.Annotations["deployment.kubernetes.io/revision"])
	return n
}

// replicaSet adds why a ReplicaSet cannot make its pods. Only a violation of Pod Security is hopeless: it stays until somebody changes
// the namespace or the chart. A quota may be freed, a webhook come back, a service account be created.
func (l *inspection) replicaSet(o Object, set live) {
	for _, c := range set.Status.Conditions {
		if c.Type == "ReplicaFailure" && c.Status == "True" {
			text := "replicaset " + set.Metadata.Name + ": " + c.String()
			l.found = append(l.found, text)
			if strings.Contains(c.Message, "violates PodSecurity") {
				l.giveUp(o.String() + ": " + text)
			}
			return
		}
	}
	l.add("ReplicaSet", set.Metadata, nil)
}

// pod adds what is wrong with a pod. owner is the object that cannot become ready if the pod's problem is hopeless; empty: the pod proves nothing
// about it.
func (l *inspection) pod(p pod, owner string) {
	name := "pod " + p.Metadata.Name + ": "
	problems := p.problems(l.since, l.now)
	for _, problem := range problems {
		l.found = append(l.found, name+problem.text)
		if problem.hopeless && owner != "" {
			l.giveUp(owner + ": " + name + problem.text)
		}
	}
	if len(problems) == 0 && !p.done(l.since) {
		l.add("Pod", p.Metadata, &p)
	}
}

// podsBy returns the pods that an object selects, by the uid of the pods' controller.
func (l *inspection) podsBy(ctx context.Context, w live) (map[string][]pod, error) {
	pods, err := list[pod](ctx, l.Client, request{path: labelled(collection(core, w.Metadata.Namespace, "pods"), w.Spec.Selector.String())})
	by := map[string][]pod{}
	for _, p := range pods {
		uid := p.Metadata.controller().UID
		by[uid] = append(by[uid], p)
	}
	return by, err
}

// selector is the label selector of a workload. String returns it in the form for a query.
type selector struct {
	MatchLabels      map[string]string
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	}
}

func (s selector) String() string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		all = append(all, key+"="+s.MatchLabels[key])
	}
	for _, e := range s.MatchExpressions {
		values := strings.Join(e.Values, ",")
		switch e.Operator {
		case "In":
			all = append(all, e.Key+" in ("+values+")")
		case "NotIn":
			all = append(all, e.Key+" notin ("+values+")")
		case "Exists":
			all = append(all, e.Key)
		case "DoesNotExist":
			all = append(all, "!"+e.Key)
		}
	}
	return strings.Join(all, ",")
}
