package release

import (
	"context"
	"time"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
)

func (rs *Releases) Undeploy(ctx context.Context, t *dispatch.Task, w hub.Workload) error {
	found, err := rs.Locate(ctx, w)
	if err != nil {
		return err
	}
	// It may have a second one, made before the reference operator was here in between. Where odd characters alone make the difference,
	// that name is another workload's too, and without a runtime id, in G1, nothing tells whose the release is.
	second := found.Name != found.Own && (w.WorkloadRtID != "" || found.Name == names.ReferenceName(w.TenantID, names.NameOrID(w)))
	if second {
		own := found
		own.Name = own.Own
		if err := rs.undeployRelease(ctx, t, own, w); err != nil {
			return err
		}
	}
	return rs.undeployRelease(ctx, t, found, w)
}

func (rs *Releases) undeployRelease(ctx context.Context, t *dispatch.Task, release names.Release, w hub.Workload) error {
	revisions, err := rs.Owned(ctx, release, w)
	if err != nil {
		return err
	}
	secret := release.SecretName()
	if len(revisions) == 0 {
		if secret, err = rs.leftSecret(ctx, t, release, w); err != nil {
			return err
		}
	}
	started := time.Now()
	err = rs.uninstall(ctx, t, release, secret, w)
	if err == nil || ctx.Err() != nil || time.Since(started) >= rs.Settings.Helm.Timeout { // it has had its time
		return err
	}
	// If its helm was killed, the release is left uninstalling, and every deploy would be refused. Now it is known whose helm that
	// was; in the operator's next life nobody would know. What was begun is finished, so it need not be recovered.
	if labels, lookErr := rs.Kubectl.ReleaseLabels(ctx, release.Namespace, release.Name); lookErr != nil || labels["status"] != "uninstalling" {
		return err
	}
	t.Log.Warn("helm was ended in the middle of the undeploy: it is run again", "reason", t.Message(err))
	return rs.uninstall(ctx, t, release, secret, w)
}

// uninstall lets the script do its work. secret is the one that goes too; "": none.
func (rs *Releases) uninstall(ctx context.Context, t *dispatch.Task, r names.Release, secret string, w hub.Workload) error {
	return rs.script(ctx, t, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": r.Name, "NAMESPACE": r.Namespace, "SECRET": secret,
		"TIMEOUT": rs.Settings.Helm.Timeout.String(),
	})
}
