package handlers

import "octo-operator/hub"

// Labels of a release's revisions, besides those that say whose it is. Helm hands labels down to the next revision, so each deploy
// sets them all.
const (
	runLabel     = group + "/run"     // which event made the revision
	contentLabel = group + "/content" // what it is made of
	// rolloutLabel is waiting until the pods of the revision have been ready once. helm calls a revision deployed as soon as its
	// objects are applied.
	rolloutLabel   = group + "/rollout"
	rolloutWaiting = "waiting"
	rolloutReady   = "ready"
	// serverSideLabel is true on releases that helm has applied on the server's side from the first revision on.
	serverSideLabel = group + "/server-side"
	// wakesLabel is true if the workload had no replicas before, and the revision gave it some.
	wakesLabel = group + "/wakes"
	// laneLabel is on a release that the reference operator has named: the name that this operator would give, as its lane has it.
	laneLabel = group + "/lane"
	// ownerLabel is on an adapter pool's release: the uid of the pool's resource with which its objects go, or noOwner.
	ownerLabel = group + "/owner"
	noOwner    = "none"
)

// poolLabels say whose an object is.
func poolLabels(p hub.Pool) map[string]string {
	labels := map[string]string{
		tenantLabel:    labelValue(p.TenantID),
		managedByLabel: managedBy,
	}
	switch {
	case p.DeploymentSiteRtID != "":
		labels[group+"/deployment-site-rt-id"] = labelValue(p.DeploymentSiteRtID)
	case p.PoolRtID != "":
		labels[group+"/pool-rt-id"] = labelValue(p.PoolRtID)
	default:
		labels[group+"/pool"] = labelValue(p.PoolName)
	}
	return labels
}

// workloadLabels say whose a release is. They stand on the release itself too, so that a restarted operator can read
// back what it owns.
func workloadLabels(w hub.Workload) map[string]string {
	labels := poolLabels(w.Pool)
	if w.WorkloadRtID != "" {
		labels[rtIDLabel] = labelValue(w.WorkloadRtID)
	}
	return labels
}

const (
	managedByLabel = group + "/managed-by"
	managedBy      = "communication-operator"
	rtIDLabel      = group + "/workload-rt-id"
	tenantLabel    = group + "/tenant" // labelValue of the tenant's id
	// tenantID is an annotation with the tenant's id as it is. Helm's revisions can have none, so they have a label with a hash of it.
	tenantID   = group + "/tenant-id"
	tenantHash = group + "/tenant-hash"
)
