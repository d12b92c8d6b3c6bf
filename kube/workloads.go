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

// podsOf adds what is wrong with the pods of an object that has any. text is the object as it came.
func (l *look) podsOf(ctx context.Context, o Object, w live, text []byte) error {
	switch kind := groupKind(o); {
	case kind == "Pod":
		var p pod
		if err := json.Unmarshal(text, &p); err != nil {
			return err
		}
		l.pod(p, o.String())
	case !w.observed() || w.Spec.Selector.String() == "":
		return nil // whatever pods there are belong to what was before
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
			} else { // what is left of before may be what blocks, but it is no proof
				l.pod(p, "")
			}
		}
		return err
	}
	return nil
}

// isCurrent tells whether a pod is made from what the object says now.
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

// podsOfDeployment looks at the newest ReplicaSet and its pods; if it has none, at the others', which may hold what it needs.
func (l *look) podsOfDeployment(ctx context.Context, o Object, deployment live) error {
	sets, err := list[live](ctx, l.Kubectl, request{path: labelled(collection(apps, deployment.Metadata.Namespace, "replicasets"), deployment.Spec.Selector.String())})
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

// revision is the number by which a Deployment orders its ReplicaSets.
func (w live) revision() int {
	n, _ := strconv.Atoi(w.Metadata.Annotations["deployment.kubernetes.io/revision"])
	return n
}

// replicaSet adds why a ReplicaSet has not the pods it should have. A quota may be freed, a webhook come back, a service account
// be made; only Pod Security stays as it is until somebody changes the namespace or the chart.
func (l *look) replicaSet(o Object, set live) {
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

// pod adds what is wrong with a pod. owner is the object for which that may be proof that waiting cannot help; empty: none.
func (l *look) pod(p pod, owner string) {
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

// podsBy are the pods that an object selects, by the uid of what has made them.
func (l *look) podsBy(ctx context.Context, w live) (map[string][]pod, error) {
	pods, err := list[pod](ctx, l.Kubectl, request{path: labelled(collection(core, w.Metadata.Namespace, "pods"), w.Spec.Selector.String())})
	by := map[string][]pod{}
	for _, p := range pods {
		uid := p.Metadata.controller().UID
		by[uid] = append(by[uid], p)
	}
	return by, err
}

// selector is that of a workload. As a String it is one for a query.
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
