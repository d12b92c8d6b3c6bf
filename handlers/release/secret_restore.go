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

// restore restores what the release's Secret held when the pods were last ready. It comes before the rollback, whose pods read it. users are the
// workloads whose pods may have the values of the failed deploy: endRestore restarts those that get no new pods from the rollback. open: there
// was something to restore. own: only changes of this run are restored.
func (s secrets) restore(ctx context.Context, t *dispatch.Task, r names.Release, own bool) (users restarts, open bool, err error) {
	live, err := s.cluster.Secret(ctx, r.Namespace, r.SecretName())
	if err != nil {
		return users, false, err
	}
	needed, open, err := openChange(live)
	if err != nil {
		return users, false, err
	}
	before, err := s.cluster.Secret(ctx, r.Namespace, r.SecretBefore())
	if err != nil || before == nil || before.Labels[names.RunLabel] != t.ShortID() && (own || !open) {
		return users, false, err
	}
	changed := changedKeys(dataOf(live), before.Data)
	if len(changed) == 0 { // it was not written; or it is restored, by a try that did not come any further
		return needed, true, nil
	}
	if users, err = s.usersOf(ctx, r, changed); err != nil {
		return users, false, err
	}
	auto, manual, err := s.stillNeeded(ctx, r, needed) // they still run with what comes back
	if err != nil {
		return users, false, err
	}
	maps.DeleteFunc(users.Workloads, func(name, _ string) bool { return auto.has(name) || manual.has(name) })
	if err := s.putBack(ctx, r, before, users); err != nil {
		return users, false, err
	}
	t.Log.Info("secret restored to what it held when the release was last ready", "secret", r.SecretName(), "keys", strings.Join(changed, ", "))
	return users, true, nil
}

// putBack writes the Secret with the data, labels and annotations of before, as an open change whose users are to be restarted.
func (s secrets) putBack(ctx context.Context, r names.Release, before *kube.Secret, users restarts) error {
	text, err := json.Marshal(users)
	if err != nil {
		return err
	}
	restored := *before
	restored.Name, restored.Labels, restored.Annotations = r.SecretName(), maps.Clone(before.Labels), maps.Clone(before.Annotations)
	delete(restored.Labels, names.RunLabel)
	if restored.Annotations == nil {
		restored.Annotations = map[string]string{}
	}
	restored.Annotations[changeAnnotation] = string(text)
	return s.cluster.PutSecret(ctx, names.FieldManager, restored)
}

// endRestore restarts the users of the failed deploy's values that have no new pods since, and ends the change of the Secret.
func (s secrets) endRestore(ctx context.Context, t *dispatch.Task, r names.Release, users restarts) error {
	return t.Retry(ctx, func() error {
		if _, err := s.restart(ctx, t, r, users); err != nil {
			return err
		}
		return s.closeChange(ctx, r)
	})
}

// undo restores the Secret after a deploy whose helm has made no revision: the Secret is written before helm runs.
func (s secrets) undo(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) error {
	if t.MakesSecret {
		return s.drop(ctx, t, r, w)
	}
	users, open := restarts{}, false
	err := t.Retry(ctx, func() (err error) { users, open, err = s.restore(ctx, t, r, true); return err })
	if err != nil || !open {
		return err
	}
	return s.endRestore(ctx, t, r, users)
}

// drop deletes the Secret that was made for a release that is not there.
func (s secrets) drop(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) error {
	return t.Retry(ctx, func() error {
		live, err := s.cluster.Secret(ctx, r.Namespace, r.SecretName())
		if err != nil || !names.MadeFor(live, w) {
			return err
		}
		if err := s.remove(ctx, r); err != nil {
			return err
		}
		t.Log.Info("secret deleted: the release it was for is not there", "secret", r.SecretName())
		return nil
	})
}
