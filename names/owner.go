package names

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
)

// Before the operator changes a pool's resource, a release or a Secret that exists already, the functions in this file find out from the object
// itself to whom it belongs. Its name proves nothing: victim.corp, VICTIM_CORP and victim-corp are three tenants, but Kubernetes names made of their
// ids are the same. At times the values of their labels are the same too.

// Verdict says whether an object belongs to the workload or pool that asks.
type Verdict int

// The verdicts.
const (
	OfNobody  Verdict = iota // there is no such object
	Unproven                 // nothing proves to whom it belongs
	OfThis                   // it belongs to this workload or pool
	OfAnother                // it belongs to another one
)

// Proof is a verdict with its reason.
type Proof struct {
	Verdict Verdict
	Reason  string // of OfAnother: what differs; otherwise ""
}

func differs(what, key, found, wanted string) Proof {
	return Proof{OfAnother, fmt.Sprintf("its %s %s is %q, this one's is %q", what, key, found, wanted)}
}

// TenantProof tells whether an object belongs to a tenant. Each of the annotation, the hash and the label that it has must be the tenant's: if only
// one differs, somebody has changed it by hand. Objects of the reference operator, and of early versions of this one, have only the label. A label
// alone is a proof if it is the tenant's id unchanged and LabelValue cannot have made it of another id.
func TenantProof(labels, annotations map[string]string, tenant string) Proof {
	label, hash := labels[TenantLabel], labels[TenantHashLabel]
	id, hasID := annotations[TenantIDAnnotation]
	switch {
	case hasID && id != tenant:
		return differs("annotation", TenantIDAnnotation, id, tenant)
	case hash != "" && hash != HashOf(tenant):
		return Proof{OfAnother, hashedOwner(label, hash, tenant)}
	case label != "" && label != LabelValue(tenant) && label != ReferenceLabel(tenant):
		return differs("label", TenantLabel, label, LabelValue(tenant))
	case hasID, hash != "", label != "" && label == tenant && !madeLabel.MatchString(label):
		return Proof{Verdict: OfThis}
	}
	return Proof{Verdict: Unproven}
}

// hashedOwner says to whom an object with another tenant's hash belongs. Nobody can read a hash, so the tenant is named if the label is its id.
func hashedOwner(label, hash, tenant string) string {
	if HashOf(label) == hash {
		return fmt.Sprintf("it is of tenant %q, this one of tenant %q", label, tenant)
	}
	return fmt.Sprintf("it is of another tenant than %q, as its label %s says (its label %s is %q)", tenant, TenantHashLabel, TenantLabel, label)
}

// madeLabel matches a label's value that LabelValue may have made of another text.
var madeLabel = regexp.MustCompile(fmt.Sprintf(`(^|-)[0-9a-f]{%d}$`, hashLength))

// LabelProof judges by the labels of a release's revision. It ignores the pool, because a workload may move to another pool. It ignores the runtime
// id if either side has none: in G1 not every event has one.
func LabelProof(labels map[string]string, w hub.Workload) Proof {
	if id := labels[RtIDLabel]; id != "" && w.WorkloadRtID != "" && id != w.WorkloadRtID {
		return differs("label", RtIDLabel, id, w.WorkloadRtID)
	}
	return TenantProof(labels, nil, w.TenantID)
}

// ValuesProof judges by the values that the reference operator gives to every release. An undeploy of G1 has no runtime id; then it is enough that
// the release has one, because releases that people have made have none. The error says that the values are not a JSON object.
func ValuesProof(values json.RawMessage, w hub.Workload) (Proof, error) {
	var all map[string]json.RawMessage // a struct's fields would match TENANTID too
	if len(values) > 0 {
		if err := json.Unmarshal(values, &all); err != nil {
			return Proof{}, err
		}
	}
	tenant, rtID := text(all["tenantId"]), text(all["adapterRtId"])
	switch {
	case tenant != "" && tenant != w.TenantID:
		return differs("value", "tenantId", tenant, w.TenantID), nil
	case rtID != "" && w.WorkloadRtID != "" && rtID != w.WorkloadRtID:
		return differs("value", "adapterRtId", rtID, w.WorkloadRtID), nil
	case tenant == "" || rtID == "":
		return Proof{Verdict: Unproven}, nil
	}
	return Proof{Verdict: OfThis}, nil
}

// text decodes a JSON string; "": it is not a string.
func text(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s)
	return s
}

// SecretProof judges by the labels and annotations that both operators give to a release's Secret. In G1 the reference operator wrote the workload's
// name there.
func SecretProof(s *kube.Secret, w hub.Workload) Proof {
	const name = Group + "/workload"
	p, id := TenantProof(s.Labels, s.Annotations, w.TenantID), s.Labels[RtIDLabel]
	switch {
	case p.Verdict == OfAnother:
		return p
	case id != "" && w.WorkloadRtID != "" && id != w.WorkloadRtID:
		return differs("label", RtIDLabel, id, w.WorkloadRtID)
	case s.Labels[name] != "" && !isLabelOf(s.Labels[name], w.WorkloadName):
		return differs("label", name, s.Labels[name], LabelValue(w.WorkloadName))
	case s.Labels[ManagedByLabel] != ManagedBy, s.Labels[name] == "" && id != w.WorkloadRtID:
		return Proof{Verdict: Unproven}
	}
	return p
}

// MadeFor tells whether this operator or the reference operator has made a Secret for the workload. false if s is nil.
func MadeFor(s *kube.Secret, w hub.Workload) bool {
	return s != nil && SecretProof(s, w).Verdict == OfThis
}

// PoolProof judges by a pool's resource, which has the ids unchanged; nil: there is none. A resource that does not identify a pool yet is Unproven.
func PoolProof(found *kube.Pool, pool hub.Pool) Proof {
	switch {
	case found == nil:
		return Proof{Verdict: OfNobody}
	case HubPool(*found).Key() == pool.Key():
		return Proof{Verdict: OfThis}
	case found.TenantID != "" && found.TenantID != pool.TenantID || HubPool(*found).Check() == nil:
		return Proof{OfAnother, fmt.Sprintf("it is of pool %q of tenant %q; this one is %q of tenant %q", HubPool(*found).ID(), found.TenantID, pool.ID(), pool.TenantID)}
	}
	return Proof{Verdict: Unproven}
}

// BrokerSecretProof judges by the labels and annotations that both operators give to a pool's broker Secret; nil: there is none.
func BrokerSecretProof(s *kube.Secret, pool hub.Pool) Proof {
	if s == nil {
		return Proof{Verdict: OfNobody}
	}
	const site, rtID, name = Group + "/deployment-site-rt-id", Group + "/pool-rt-id", Group + "/pool"
	p, id := TenantProof(s.Labels, s.Annotations, pool.TenantID), cmp.Or(s.Labels[site], s.Labels[rtID], s.Labels[name])
	switch {
	case p.Verdict == OfAnother:
		return p
	case id != "" && !isLabelOf(id, pool.ID()):
		return Proof{OfAnother, fmt.Sprintf("it is of pool %q, this one is %q", id, pool.ID())}
	case id == "", s.Labels[ManagedByLabel] != ManagedBy:
		return Proof{Verdict: Unproven}
	}
	return p
}

// isLabelOf tells whether a label's value is made of s, by this operator or by the reference operator, which may make the same value of two texts.
func isLabelOf(value, s string) bool { return value == LabelValue(s) || value == ReferenceLabel(s) }

// LabelCommand returns the kubectl command with which a person declares that an Unproven object belongs to a tenant. object is written as kubectl
// accepts it; labels are further labels to set, such as the workload's.
func LabelCommand(object, tenant string, labels map[string]string) string {
	all := map[string]string{TenantLabel: LabelValue(tenant)}
	if TenantProof(all, nil, tenant).Verdict != OfThis {
		all[TenantHashLabel] = HashOf(tenant)
	}
	maps.Copy(all, labels)
	words := []string{"kubectl", "label", object}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		words = append(words, key+"="+all[key])
	}
	return strings.Join(words, " ")
}

// HubPool returns the pool that a resource stands for.
func HubPool(p kube.Pool) hub.Pool {
	return hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID, DeploymentSiteRtID: p.DeploymentSiteRtID}
}
