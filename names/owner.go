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

// Whose is it? Before anything is done to a pool's resource, a release or a secret that is there already, the answer to that is found
// here: by what the object itself has of its owner. Names tell nothing: victim.corp, VICTIM_CORP and victim-corp are three tenants, and
// Kubernetes names made of their ids are the same. So is, at times, what a label can hold of them.

// Verdict says whose an object is, as far as one workload or pool wants to know.
type Verdict int

// What is known of an object's owner.
const (
	OfNobody  Verdict = iota // there is no such object
	Unproven                 // nothing proves whose it is
	OfThis                   // it is the workload's, or the pool's
	OfAnother                // it is another one's
)

// Proof is whose an object is, and why.
type Proof struct {
	Verdict Verdict
	Reason  string // of OfAnother: what differs; otherwise ""
}

func differs(what, key, found, wanted string) Proof {
	return Proof{OfAnother, fmt.Sprintf("its %s %s is %q, this one's is %q", what, key, found, wanted)}
}

// TenantProof tells whether an object is a tenant's. All that it has of its tenant must be right: what differs has been changed by hand.
// Objects that the reference operator has made, or this one before it knew better, have the label alone. It counts where it is the
// tenant's id and is made of no other one.
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

// hashedOwner says whose an object with another hash is. Nobody can read a hash, so the tenant is named where its label is its id.
func hashedOwner(label, hash, tenant string) string {
	if HashOf(label) == hash {
		return fmt.Sprintf("it is of tenant %q, this one of tenant %q", label, tenant)
	}
	return fmt.Sprintf("it is of another tenant than %q, as its label %s says (its label %s is %q)", tenant, TenantHashLabel, TenantLabel, label)
}

// madeLabel is a label's value that LabelValue may have made of something else.
var madeLabel = regexp.MustCompile(fmt.Sprintf(`(^|-)[0-9a-f]{%d}$`, hashLength))

// LabelProof reads the labels of a release's revision. The pool is not looked at: a workload may move to another one. Where one side has
// no runtime id, it proves nothing: in G1 not every event has one.
func LabelProof(labels map[string]string, w hub.Workload) Proof {
	if id := labels[RtIDLabel]; id != "" && w.WorkloadRtID != "" && id != w.WorkloadRtID {
		return differs("label", RtIDLabel, id, w.WorkloadRtID)
	}
	return TenantProof(labels, nil, w.TenantID)
}

// ValuesProof reads the values that the reference operator gives to every release. An undeploy of G1 has no runtime id: there it is
// enough that the release has one, which no person's has. The error is that the values are no JSON object.
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

// text is a JSON string; "": it is none.
func text(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s)
	return s
}

// SecretProof reads what both operators put on a release's Secret. In G1 the reference operator put the workload's name there.
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

// MadeFor tells whether this operator or the reference operator has made a Secret for the workload. nil is no Secret: false.
func MadeFor(s *kube.Secret, w hub.Workload) bool {
	return s != nil && SecretProof(s, w).Verdict == OfThis
}

// PoolProof reads a pool's resource, which has the ids as they are; nil: there is none. One that stands for no pool yet is anybody's: Unproven.
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

// BrokerSecretProof reads what both operators put on a pool's broker secret; nil: there is none.
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

// isLabelOf tells whether a label's value is made of s, by this operator or by the reference operator. Of the latter's, two may be the same.
func isLabelOf(value, s string) bool { return value == LabelValue(s) || value == ReferenceLabel(s) }

// LabelCommand is the kubectl command by which a person says that an object of which nothing proves it is a tenant's. object is as kubectl takes it;
// labels are more that it gets, such as the workload's.
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

// HubPool is the pool for which a resource stands.
func HubPool(p kube.Pool) hub.Pool {
	return hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID, DeploymentSiteRtID: p.DeploymentSiteRtID}
}
