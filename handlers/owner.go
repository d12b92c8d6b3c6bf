package handlers

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

// verdict says whose something is, as far as one workload or pool wants to know.
type verdict int

const (
	ofNobody  verdict = iota // there is nothing
	unproven                 // nothing proves whose it is
	ofThis                   // it is the workload's, or the pool's
	ofAnother                // it is another one's
)

type proof struct {
	verdict verdict
	reason  string // of ofAnother: what differs
}

func differs(what, key, found, wanted string) proof {
	return proof{ofAnother, fmt.Sprintf("its %s %s is %q, this one's is %q", what, key, found, wanted)}
}

// tenantProof tells whether an object is a tenant's. All that it has of its tenant must be right: what differs has been changed by hand.
// Objects that the reference operator has made, or this one before it knew better, have the label alone. It counts where it is the
// tenant's id and is made of no other one.
func tenantProof(labels, annotations map[string]string, tenant string) proof {
	label, hash := labels[tenantLabel], labels[tenantHash]
	id, hasID := annotations[tenantID]
	switch {
	case hasID && id != tenant:
		return differs("annotation", tenantID, id, tenant)
	case hash != "" && hash != hashOf(tenant):
		return proof{ofAnother, hashedOwner(label, hash, tenant)}
	case label != "" && label != labelValue(tenant) && label != referenceLabel(tenant):
		return differs("label", tenantLabel, label, labelValue(tenant))
	case hasID, hash != "", label != "" && label == tenant && !madeLabel.MatchString(label):
		return proof{verdict: ofThis}
	}
	return proof{verdict: unproven}
}

// hashedOwner says whose an object with another hash is. Nobody can read a hash, so the tenant is named where its label is its id.
func hashedOwner(label, hash, tenant string) string {
	if hashOf(label) == hash {
		return fmt.Sprintf("it is of tenant %q, this one of tenant %q", label, tenant)
	}
	return fmt.Sprintf("it is of another tenant than %q, as its label %s says (its label %s is %q)", tenant, tenantHash, tenantLabel, label)
}

// madeLabel is one that labelValue may have made of something else.
var madeLabel = regexp.MustCompile(fmt.Sprintf(`(^|-)[0-9a-f]{%d}$`, hashLength))

// labelProof reads the labels of a release's revision. The pool is not looked at: a workload may move to another one. Where one side has
// no runtime id, it proves nothing: in G1 not every event has one.
func labelProof(labels map[string]string, w hub.Workload) proof {
	if id := labels[rtIDLabel]; id != "" && w.WorkloadRtID != "" && id != w.WorkloadRtID {
		return differs("label", rtIDLabel, id, w.WorkloadRtID)
	}
	return tenantProof(labels, nil, w.TenantID)
}

// valuesProof reads the values that the reference operator gives to every release. An undeploy of G1 has no runtime id: there it is
// enough that the release has one, which no person's has.
func valuesProof(values json.RawMessage, w hub.Workload) (proof, error) {
	var all map[string]json.RawMessage // a struct's fields would match TENANTID too
	if len(values) > 0 {
		if err := json.Unmarshal(values, &all); err != nil {
			return proof{}, err
		}
	}
	tenant, rtID := text(all["tenantId"]), text(all["adapterRtId"])
	switch {
	case tenant != "" && tenant != w.TenantID:
		return differs("value", "tenantId", tenant, w.TenantID), nil
	case rtID != "" && w.WorkloadRtID != "" && rtID != w.WorkloadRtID:
		return differs("value", "adapterRtId", rtID, w.WorkloadRtID), nil
	case tenant == "" || rtID == "":
		return proof{verdict: unproven}, nil
	}
	return proof{verdict: ofThis}, nil
}

// text is a JSON string; "": it is none.
func text(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s)
	return s
}

// secretProof reads what both operators put on a release's Secret. In G1 the reference operator put the workload's name there.
func secretProof(s *kube.Secret, w hub.Workload) proof {
	const name = group + "/workload"
	p, id := tenantProof(s.Labels, s.Annotations, w.TenantID), s.Labels[rtIDLabel]
	switch {
	case p.verdict == ofAnother:
		return p
	case id != "" && w.WorkloadRtID != "" && id != w.WorkloadRtID:
		return differs("label", rtIDLabel, id, w.WorkloadRtID)
	case s.Labels[name] != "" && !isLabelOf(s.Labels[name], w.WorkloadName):
		return differs("label", name, s.Labels[name], labelValue(w.WorkloadName))
	case s.Labels[managedByLabel] != managedBy, s.Labels[name] == "" && id != w.WorkloadRtID:
		return proof{verdict: unproven}
	}
	return p
}

// ours tells whether this operator or the reference operator has made the Secret for the workload.
func ours(s *kube.Secret, w hub.Workload) bool {
	return s != nil && secretProof(s, w).verdict == ofThis
}

// poolProof reads a pool's resource, which has the ids as they are. One that stands for no pool yet is whoever's deploy makes it stand
// for one.
func poolProof(found *kube.Pool, pool hub.Pool) proof {
	switch {
	case found == nil:
		return proof{verdict: ofNobody}
	case hubPool(*found).Key() == pool.Key():
		return proof{verdict: ofThis}
	case found.TenantID != "" && found.TenantID != pool.TenantID || hubPool(*found).Check() == nil:
		return proof{ofAnother, fmt.Sprintf("it is of pool %q of tenant %q; this one is %q of tenant %q", hubPool(*found).ID(), found.TenantID, pool.ID(), pool.TenantID)}
	}
	return proof{verdict: unproven}
}

// brokerSecretProof reads what both operators put on a pool's broker secret.
func brokerSecretProof(s *kube.Secret, pool hub.Pool) proof {
	if s == nil {
		return proof{verdict: ofNobody}
	}
	const site, rtID, name = group + "/deployment-site-rt-id", group + "/pool-rt-id", group + "/pool"
	p, id := tenantProof(s.Labels, s.Annotations, pool.TenantID), cmp.Or(s.Labels[site], s.Labels[rtID], s.Labels[name])
	switch {
	case p.verdict == ofAnother:
		return p
	case id != "" && !isLabelOf(id, pool.ID()):
		return proof{ofAnother, fmt.Sprintf("it is of pool %q, this one is %q", id, pool.ID())}
	case id == "", s.Labels[managedByLabel] != managedBy:
		return proof{verdict: unproven}
	}
	return p
}

// isLabelOf tells whether a label's value is made of s, by this operator or by the reference operator. Of the latter's, two may be the same.
func isLabelOf(value, s string) bool { return value == labelValue(s) || value == referenceLabel(s) }

// markedAs is the command by which a person says whose an object is, which nothing proves: labels, such as the workload's.
func markedAs(object, tenant string, labels map[string]string) string {
	all := map[string]string{tenantLabel: labelValue(tenant)}
	if tenantProof(all, nil, tenant).verdict != ofThis {
		all[tenantHash] = hashOf(tenant)
	}
	maps.Copy(all, labels)
	words := []string{"kubectl", "label", object}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		words = append(words, key+"="+all[key])
	}
	return strings.Join(words, " ")
}

func hubPool(p kube.Pool) hub.Pool {
	return hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID, DeploymentSiteRtID: p.DeploymentSiteRtID}
}
