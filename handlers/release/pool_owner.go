package release

import (
	"context"

	"octo-operator/kube"
	"octo-operator/names"
)

// NoteOwner writes the owner of a release's objects on its newest revision.
func (rs *Releases) NoteOwner(ctx context.Context, r names.Release, uid string) error {
	labels, err := rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil || labels[names.OwnerLabel] == uid {
		return err
	}
	return rs.Kubectl.PatchLabels(ctx, names.FieldManager, r.Namespace, "secrets", kube.RevisionSecret(r.Name, labels["version"]), map[string]*string{names.OwnerLabel: &uid})
}
