package names

import "octo-operator/hub"

// Labels of a release's revisions, besides those that say whose it is. Helm hands labels down to the next revision, so each deploy
// sets them all.
const (
	RunLabel     = Group + "/run"     // which event made the revision
	ContentLabel = Group + "/content" // what it is made of
	// RolloutLabel is waiting until the pods of the revision have been ready once. helm calls a revision deployed as soon as its
	// objects are applied.
	RolloutLabel   = Group + "/rollout"
	RolloutWaiting = "waiting"
	RolloutReady   = "ready"
	// ServerSideLabel is true on releases that helm has applied on the server's side from the first revision on.
	ServerSideLabel = Group + "/server-side"
	// WakesLabel is true if the workload had no replicas before, and the revision gave it some.
	WakesLabel = Group + "/wakes"
	// LaneLabel is on a release that the reference operator has named: the name that this operator would give, as its lane has it.
	LaneLabel = Group + "/lane"
	// OwnerLabel is on an adapter pool's release: the uid of the pool's resource with which its objects go, or noOwner.
	OwnerLabel = Group + "/owner"
	NoOwner    = "none"
)

// PoolLabels say whose an object is.
func PoolLabels(p hub.Pool) map[string]string {
	labels := map[string]string{
		TenantLabel:    LabelValue(p.TenantID),
		ManagedByLabel: ManagedBy,
	}
	switch {
	case p.DeploymentSiteRtID != "":
		labels[Group+"/deployment-site-rt-id"] = LabelValue(p.DeploymentSiteRtID)
	case p.PoolRtID != "":
		labels[Group+"/pool-rt-id"] = LabelValue(p.PoolRtID)
	default:
		labels[Group+"/pool"] = LabelValue(p.PoolName)
	}
	return labels
}

// WorkloadLabels say whose a release is. They stand on the release itself too, so that a restarted operator can read
// back what it owns.
func WorkloadLabels(w hub.Workload) map[string]string {
	labels := PoolLabels(w.Pool)
	if w.WorkloadRtID != "" {
		labels[RtIDLabel] = LabelValue(w.WorkloadRtID)
	}
	return labels
}

const (
	ManagedByLabel = Group + "/managed-by"
	ManagedBy      = "communication-operator"
	RtIDLabel      = Group + "/workload-rt-id"
	TenantLabel    = Group + "/tenant" // labelValue of the tenant's id
	// TenantID is an annotation with the tenant's id as it is. Helm's revisions can have none, so they have a label with a hash of it.
	TenantID   = Group + "/tenant-id"
	TenantHash = Group + "/tenant-hash"
)
