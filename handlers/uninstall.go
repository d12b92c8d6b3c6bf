package handlers

import (
	"context"
	"time"

	"octo-operator/hub"
	"octo-operator/scripts"
)

func (rs *releases) undeploy(ctx context.Context, t *task, w hub.Workload) error {
	found, err := rs.locate(ctx, w)
	if err != nil {
		return err
	}
	// It may have a second one, made before the reference operator was here in between. Where odd characters alone make the difference,
	// that name is another workload's too, and without a runtime id, in G1, nothing tells whose the release is.
	second := found.name != found.own && (w.WorkloadRtID != "" || found.name == cutName(w.TenantID, nameOrID(w)))
	if second {
		own := found
		own.name = own.own
		if err := rs.undeployRelease(ctx, t, own, w); err != nil {
			return err
		}
	}
	return rs.undeployRelease(ctx, t, found, w)
}

func (rs *releases) undeployRelease(ctx context.Context, t *task, release release, w hub.Workload) error {
	revisions, err := rs.owned(ctx, release, w)
	if err != nil {
		return err
	}
	secret := release.secretName()
	if len(revisions) == 0 {
		if secret, err = rs.leftSecret(ctx, t, release, w); err != nil {
			return err
		}
	}
	started := time.Now()
	err = rs.uninstall(ctx, t, release, secret, w)
	if err == nil || ctx.Err() != nil || time.Since(started) >= rs.settings.Helm.Timeout { // it has had its time
		return err
	}
	// If its helm was killed, the release is left uninstalling, and every deploy would be refused. Now it is known whose helm that
	// was; in the operator's next life nobody would know. What was begun is finished, so it need not be recovered.
	if labels, lookErr := rs.kubectl.ReleaseLabels(ctx, release.namespace, release.name); lookErr != nil || labels["status"] != "uninstalling" {
		return err
	}
	t.log.Warn("helm was ended in the middle of the undeploy: it is run again", "reason", t.message(err))
	return rs.uninstall(ctx, t, release, secret, w)
}

// uninstall lets the script do its work. secret is the one that goes too; "": none.
func (rs *releases) uninstall(ctx context.Context, t *task, r release, secret string, w hub.Workload) error {
	return rs.script(ctx, t, scripts.WorkloadUndeploy, map[string]string{
		"TENANT": w.TenantID, "WORKLOAD": w.WorkloadName,
		"RELEASE": r.name, "NAMESPACE": r.namespace, "SECRET": secret,
		"TIMEOUT": rs.settings.Helm.Timeout.String(),
	})
}
