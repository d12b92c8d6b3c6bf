package release

import (
	"context"
	"time"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
)

// Undeploy uninstalls a workload's release and deletes its Secret. If neither exists it does nothing. It is an error if the release or the Secret
// is not provably the workload's.
func (d *Deployer) Undeploy(ctx context.Context, t *dispatch.Task, w hub.Workload) error {
	found, err := d.owners.locate(ctx, w)
	if err != nil {
		return err
	}
	// It may have a second one, made before the reference operator was here in between. Where odd characters alone make the difference,
	// that name is another workload's too, and without a runtime id, in G1, nothing tells whose the release is.
	second := found.Name != found.Own && (w.WorkloadRtID != "" || found.Name == names.ReferenceName(w.TenantID, names.NameOrID(w)))
	if second {
		own := found
		own.Name = own.Own
		if err := d.undeployRelease(ctx, t, own, w); err != nil {
			return err
		}
	}
	return d.undeployRelease(ctx, t, found, w)
}

func (d *Deployer) undeployRelease(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) error {
	revisions, err := d.owners.owned(ctx, r, w)
	if err != nil {
		return err
	}
	secret := r.SecretName()
	if len(revisions) == 0 {
		if secret, err = d.owners.leftSecret(ctx, t, r, w); err != nil {
			return err
		}
	}
	started := time.Now()
	err = d.uninstall(ctx, t, r, secret, w)
	if err == nil || ctx.Err() != nil || time.Since(started) >= d.settings.Helm.Timeout { // it has had its time
		return err
	}
	// If its helm was killed, the release is left uninstalling, and every deploy would be refused. Now it is known whose helm that
	// was; in the operator's next life nobody would know. What was begun is finished, so it need not be recovered.
	labels, lookErr := d.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if lookErr == nil && !isStuck(labels["status"]) {
		t.SetReleaseMayBePending(false)
	}
	if lookErr != nil || labels["status"] != "uninstalling" {
		return err
	}
	t.Log.Warn("helm was ended in the middle of the undeploy: it is run again", "reason", t.Message(err))
	return d.uninstall(ctx, t, r, secret, w)
}

// uninstall runs workload-undeploy. secret is the one that it deletes besides; "": none.
func (d *Deployer) uninstall(ctx context.Context, t *dispatch.Task, r names.Release, secret string, w hub.Workload) error {
	return helmScript(ctx, t, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": r.Name, "NAMESPACE": r.Namespace, "SECRET": secret,
		"TIMEOUT": d.settings.Helm.Timeout.String(),
	})
}
