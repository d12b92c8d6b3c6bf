package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// restarts are the restarts that a change of the release's Secret needs. They stand as JSON in the annotation of an open change.
type restarts struct {
	// Keys are the changed ones that the workloads use.
	Keys []string `json:"keys,omitempty"`
	// Workloads, such as deployment/web, each with a hash of its pod template from before the Secret was written: one whose template
	// has changed since has got new pods, from helm or by a restart, and needs no other.
	Workloads map[string]string `json:"workloads,omitempty"`
}

func (r *restarts) add(workload, template string, keys []string) {
	if r.Workloads == nil {
		r.Workloads = map[string]string{}
	}
	r.Workloads[workload] = template
	r.Keys = append(r.Keys, keys...)
	slices.Sort(r.Keys)
	r.Keys = slices.Compact(r.Keys)
}

func (r *restarts) addAll(others restarts) {
	for workload, template := range others.Workloads {
		r.add(workload, template, others.Keys)
	}
}

func (r restarts) has(workload string) bool { _, has := r.Workloads[workload]; return has }

func (r restarts) names(separator string) string {
	return strings.Join(slices.Sorted(maps.Keys(r.Workloads)), separator)
}

func (r restarts) keys() string { return strings.Join(r.Keys, ", ") }

// usersOf finds the workloads of a release that use a changed key of its Secret. They are those of its newest revision: of helm's
// own record, since a chart need not label what it makes.
func (s secrets) usersOf(ctx context.Context, r names.Release, changed []string) (restarts, error) {
	var users restarts
	if len(changed) == 0 {
		return users, nil
	}
	objects, err := newestObjects(ctx, s.cluster, r)
	if err != nil {
		return users, fmt.Errorf("cannot find out who uses secret %s: %w", r.SecretName(), err)
	}
	for _, o := range objects {
		if o.Namespace != r.Namespace {
			continue // pods can use the Secrets of their own namespace alone
		}
		w, keys, err := s.usedBy(ctx, r, o, changed)
		if err != nil {
			return users, err
		}
		if len(keys) > 0 && !w.Asleep { // the pods it gets when it wakes up will see the new values
			users.add(strings.ToLower(o.Kind)+"/"+o.Name, templateHash(w.Template), keys)
		}
	}
	return users, nil
}

// usedBy reads an object that may be a workload, and which of the keys its pods use; nil: it is no workload, or is gone.
func (s secrets) usedBy(ctx context.Context, r names.Release, o kube.Object, keys []string) (*kube.Workload, []string, error) {
	w, err := s.cluster.Workload(ctx, o)
	if err != nil || w == nil {
		return nil, nil, err
	}
	used, err := usedKeys(w.Template, r.SecretName(), keys)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the pod template of %s: %w", o, err)
	}
	return w, used, nil
}

// stillNeeded returns those of the restarts that are still to be done: not of workloads that have got new pods since, have none, or are
// gone. manual are those that only a person can do.
func (s secrets) stillNeeded(ctx context.Context, r names.Release, all restarts) (auto, manual restarts, err error) {
	for _, name := range slices.Sorted(maps.Keys(all.Workloads)) {
		w, keys, err := s.usedBy(ctx, r, workloadObject(r, name), all.Keys)
		switch {
		case err != nil:
			return auto, manual, err
		case w == nil || w.Asleep || templateHash(w.Template) != all.Workloads[name]:
		case w.Manual:
			manual.add(name, all.Workloads[name], keys)
		default:
			auto.add(name, all.Workloads[name], keys)
		}
	}
	return auto, manual, nil
}

var workloadKinds = map[string]string{"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}

// workloadObject is the object that is called deployment/web for kubectl.
func workloadObject(r names.Release, name string) kube.Object {
	kind, name, _ := strings.Cut(name, "/")
	return kube.Object{APIVersion: "apps/v1", Kind: workloadKinds[kind], Namespace: r.Namespace, Name: name}
}

// templateHash is the same for two pod templates if the change from one to the other replaces no pod.
func templateHash(template json.RawMessage) string {
	var t struct {
		Metadata struct{ Labels, Annotations map[string]string }
		Spec     any
	}
	_ = json.Unmarshal(template, &t) // it is JSON: it was read before
	text, _ := json.Marshal(t)       // with its keys in order
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// restart runs workload-restart for the restarts that are still to be done, and returns them. Those that only a person can do are told.
func (s secrets) restart(ctx context.Context, t *dispatch.Task, r names.Release, all restarts) (done restarts, err error) {
	auto, manual, err := s.stillNeeded(ctx, r, all)
	if err != nil {
		return done, err
	}
	if len(manual.Workloads) > 0 {
		t.Log.Warn("workloads keep old secrets: they are paused, or have the update strategy OnDelete", "workloads", manual.names(", "), "keys", manual.keys(), "next", "somebody must replace their pods")
		t.Say("not restarted, and with old secrets (" + manual.keys() + ") until somebody replaces their pods: " + manual.names(", ") +
			": paused, or with the update strategy OnDelete")
	}
	if len(auto.Workloads) == 0 {
		return done, nil
	}
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return done, err
	}
	exitCode := t.ExitCode
	err = t.Script(ctx, scripts.WorkloadRestart, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName, "RELEASE": r.Name, "NAMESPACE": r.Namespace, "RESTART": auto.names(" "),
	})
	if err != nil {
		return done, err
	}
	t.ExitCode = exitCode
	t.Log.Info("workloads restarted: secrets that they use have changed", "workloads", auto.names(", "), "keys", auto.keys())
	return auto, nil
}

// podUse is the part of a pod template that can refer to Secrets.
type podUse struct {
	Spec struct {
		InitContainers, Containers, EphemeralContainers []struct {
			Env []struct {
				ValueFrom struct{ SecretKeyRef struct{ Name, Key string } }
			}
			EnvFrom []struct{ SecretRef struct{ Name string } }
		}
		Volumes []struct {
			Secret    secretVolume
			Projected struct {
				Sources []struct{ Secret secretVolume }
			}
		}
	}
}

// secretVolume has the Secret's name in one field where it is a volume, and in the other where it is a part of one.
type secretVolume struct {
	SecretName, Name string
	Items            []struct{ Key string }
}

// usedKeys are those of the changed keys that pods of the template use. A volume counts like a variable: the kubelet does bring
// the new value into the file of a running pod, within a minute and not with a subPath, but few programs read a file twice.
func usedKeys(template json.RawMessage, secret string, changed []string) ([]string, error) {
	var pod podUse
	if err := json.Unmarshal(template, &pod); err != nil {
		return nil, err
	}
	var used []string
	all := false
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers, pod.Spec.EphemeralContainers) {
		for _, e := range c.Env {
			if e.ValueFrom.SecretKeyRef.Name == secret {
				used = append(used, e.ValueFrom.SecretKeyRef.Key)
			}
		}
		for _, e := range c.EnvFrom {
			all = all || e.SecretRef.Name == secret
		}
	}
	for _, v := range pod.Spec.Volumes {
		sources := []secretVolume{v.Secret}
		for _, s := range v.Projected.Sources {
			sources = append(sources, s.Secret)
		}
		for _, s := range sources {
			if s.SecretName != secret && s.Name != secret {
				continue
			}
			all = all || len(s.Items) == 0
			for _, item := range s.Items {
				used = append(used, item.Key)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(changed), func(key string) bool { return !all && !slices.Contains(used, key) }), nil
}
