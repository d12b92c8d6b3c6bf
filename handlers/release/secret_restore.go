package release

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// restoreSecret gives the release's Secret back what it held when the pods were last ready. It comes before the rollback, whose pods
// read it. users are the workloads whose pods may have the values of the failed deploy: endRestore restarts those of them that the
// rollback gives no new pods. open: there was something to restore. own: only what this run itself has changed is restored.
func (rs *Releases) restoreSecret(ctx context.Context, t *dispatch.Task, r names.Release, own bool) (users restarts, open bool, err error) {
	live, err := rs.Kubectl.Secret(ctx, r.Namespace, r.SecretName())
	if err != nil {
		return users, false, err
	}
	needed, open, err := openChange(live)
	if err != nil {
		return users, false, err
	}
	before, err := rs.Kubectl.Secret(ctx, r.Namespace, r.SecretBefore())
	if err != nil || before == nil || before.Labels[names.RunLabel] != t.ShortID() && (own || !open) {
		return users, false, err
	}
	changed := changedKeys(dataOf(live), before.Data)
	if len(changed) == 0 { // it was not written; or it is restored, by a try that did not come any further
		return needed, true, nil
	}
	if users, err = rs.usersOf(ctx, r, changed); err != nil {
		return users, false, err
	}
	auto, manual, err := rs.stillNeeded(ctx, r, needed) // they still run with what comes back
	if err != nil {
		return users, false, err
	}
	maps.DeleteFunc(users.Workloads, func(name, _ string) bool { return auto.has(name) || manual.has(name) })
	if err := rs.putBack(ctx, r, before, users); err != nil {
		return users, false, err
	}
	t.Log.Info("secret restored to what it held when the release was last ready", "secret", r.SecretName(), "keys", strings.Join(changed, ", "))
	return users, true, nil
}

func (rs *Releases) putBack(ctx context.Context, r names.Release, before *kube.Secret, users restarts) error {
	text, err := json.Marshal(users)
	if err != nil {
		return err
	}
	s := *before
	s.Name, s.Labels, s.Annotations = r.SecretName(), maps.Clone(s.Labels), maps.Clone(s.Annotations)
	delete(s.Labels, names.RunLabel)
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[changeAnnotation] = string(text)
	return rs.Kubectl.PutSecret(ctx, names.FieldManager, s)
}

// endRestore restarts the users of the failed deploy's values that have no new pods since, and ends the change of the Secret.
func (rs *Releases) endRestore(ctx context.Context, t *dispatch.Task, r names.Release, users restarts) error {
	return t.Retry(ctx, func() error {
		if _, err := rs.restart(ctx, t, r, users); err != nil {
			return err
		}
		return rs.closeChange(ctx, r)
	})
}

// undoSecret takes back what a deploy has done to the Secret whose helm has made no revision: the Secret is written before helm runs.
func (rs *Releases) undoSecret(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) error {
	if t.MakesSecret {
		return rs.dropSecret(ctx, t, r, w)
	}
	users, open := restarts{}, false
	err := t.Retry(ctx, func() (err error) { users, open, err = rs.restoreSecret(ctx, t, r, true); return err })
	if err != nil || !open {
		return err
	}
	return rs.endRestore(ctx, t, r, users)
}

// dropSecret deletes the Secret that was made for a release that is not there.
func (rs *Releases) dropSecret(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) error {
	return t.Retry(ctx, func() error {
		live, err := rs.Kubectl.Secret(ctx, r.Namespace, r.SecretName())
		if err != nil || !names.MadeFor(live, w) {
			return err
		}
		if err := rs.deleteSecret(ctx, r); err != nil {
			return err
		}
		t.Log.Info("secret deleted: the release it was for is not there", "secret", r.SecretName())
		return nil
	})
}
