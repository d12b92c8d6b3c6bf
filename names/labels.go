package names

import "octo-operator/hub"

// Labels of a release's revisions, besides those that say to whom the release belongs. Helm copies labels to the next revision, so each deploy sets
// them all.
const (
	RunLabel     = Group + "/run"     // the short id of the run that made the revision: its id without the callback and the release
	ContentLabel = Group + "/content" // a hash of the chart and values that it is made of
	// RolloutLabel is RolloutWaiting until the pods of the revision have been ready once, then RolloutReady. helm calls a revision deployed
	// as soon as its objects are applied.
	RolloutLabel   = Group + "/rollout"
	RolloutWaiting = "waiting"
	RolloutReady   = "ready"
	// ServerSideLabel is "true" on releases that helm has applied on the server's side from the first revision on.
	ServerSideLabel = Group + "/server-side"
	// WakesLabel is "true" if the workload had no replicas before, and the revision gave it some.
	WakesLabel = Group + "/wakes"
	// LaneLabel is on a release that the reference operator has named: the name that this operator would give, and that its lane has.
	LaneLabel = Group + "/lane"
	// OwnerUIDLabel is on an adapter pool's release: the uid of the pool's resource that owns its objects, so that the cluster deletes them with it;
	// or NoOwner.
	OwnerUIDLabel = Group + "/owner"
	NoOwner       = "none"
)

// PoolLabels returns the labels of an object that belongs to a pool: the tenant, the pool's id (before G3 its name), and that this operator made it.
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

// WorkloadLabels returns the labels of a release's revisions and Secrets: PoolLabels, and the workload's runtime id if the event has one (in G1 it
// may not).
func WorkloadLabels(w hub.Workload) map[string]string {
	labels := PoolLabels(w.Pool)
	if w.WorkloadRtID != "" {
		labels[RtIDLabel] = LabelValue(w.WorkloadRtID)
	}
	return labels
}

// Labels and annotations that say to whom an object belongs.
const (
	ManagedByLabel = Group + "/managed-by"
	ManagedBy      = "communication-operator" // of objects that this operator or the reference operator has made
	RtIDLabel      = Group + "/workload-rt-id"
	TenantLabel    = Group + "/tenant" // LabelValue of the tenant's id
	// TenantIDAnnotation is the tenant's id unchanged. Helm's revisions cannot have annotations, so they have TenantHashLabel instead: HashOf the id.
	TenantIDAnnotation = Group + "/tenant-id"
	TenantHashLabel    = Group + "/tenant-hash"
)
