package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
)

// takeBack lets a release go back to what it was, by rollBack, and its Secret with it. The Secret goes first: the pods that come
// back read it. Those that have got the values of the failed deploy otherwise, by a restart, are restarted. made, if not empty,
// is the run whose own change of the Secret alone is taken back.
func (h *Handlers) takeBack(ctx context.Context, t *task, r release, made string, rollBack func() error) error {
	var users owed
	open := false
	err := h.insist(ctx, t, func() (err error) { users, open, err = h.restoreSecret(ctx, t, r, made); return err })
	if err != nil {
		err = fmt.Errorf("its secret could not be restored: %w", err)
	}
	if err = errors.Join(h.insist(ctx, t, rollBack), err); err != nil || !open {
		return err
	}
	return h.insist(ctx, t, func() error {
		if _, err := h.restart(ctx, t, r, users); err != nil {
			return err
		}
		return h.closeChange(ctx, r)
	})
}

// restoreSecret gives the release's Secret what it held when the pods were last ready. users have what it held until now. open:
// there was something to go back to.
func (h *Handlers) restoreSecret(ctx context.Context, t *task, r release, made string) (users owed, open bool, err error) {
	before, err := h.kubectl.Secret(ctx, r.namespace, r.secretBefore())
	if err != nil || before == nil || made != "" && before.Labels[runLabel] != made {
		return users, false, err
	}
	live, err := h.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err != nil {
		return users, false, err
	}
	owes, _, err := openChange(live)
	changed := changedKeys(dataOf(live), before.Data)
	if len(changed) == 0 || err != nil { // it was not written; or it is restored, by a try that did not come any further
		return owes, true, err
	}
	if users, err = h.usersOf(ctx, r, changed); err != nil {
		return users, false, err
	}
	auto, manual, err := h.stillOwed(ctx, r, owes) // they still run with what comes back
	if err != nil {
		return users, false, err
	}
	maps.DeleteFunc(users.Workloads, func(name, _ string) bool { return auto.has(name) || manual.has(name) })
	if err := h.putBack(ctx, r, before, users); err != nil {
		return users, false, err
	}
	t.log.Info("secret restored to what it held when the release was last ready", "secret", r.secretName(), "keys", strings.Join(changed, ", "))
	return users, true, nil
}

func (h *Handlers) putBack(ctx context.Context, r release, before *kube.Secret, users owed) error {
	text, err := json.Marshal(users)
	if err != nil {
		return err
	}
	s := *before
	s.Name, s.Labels, s.Annotations = r.secretName(), maps.Clone(s.Labels), maps.Clone(s.Annotations)
	delete(s.Labels, runLabel)
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[changeAnnotation] = string(text)
	return h.kubectl.PutSecret(ctx, fieldManager, s)
}

// undoSecret is for a deploy of which helm has made no revision: the Secret is written before.
func (h *Handlers) undoSecret(ctx context.Context, t *task, r release, w hub.Workload, installed bool) error {
	if installed {
		return h.takeBack(ctx, t, r, t.ShortID(), func() error { return nil })
	}
	if !t.installs {
		return nil
	}
	return h.dropSecret(ctx, t, r, w)
}

// dropSecret deletes the Secret of a release that is not there.
func (h *Handlers) dropSecret(ctx context.Context, t *task, r release, w hub.Workload) error {
	return h.insist(ctx, t, func() error {
		live, err := h.kubectl.Secret(ctx, r.namespace, r.secretName())
		if err != nil || !ours(live, w) {
			return err
		}
		if err := h.deleteSecret(ctx, r); err != nil {
			return err
		}
		t.log.Info("secret deleted: the release it was for is not there", "secret", r.secretName())
		return nil
	})
}
