// Package names has the names of what the operator makes in the cluster: releases, Secrets, labels, accounts; the reference operator's names,
// where they differ; and whose an object is, by what it says itself. Names are pure functions of an event: two operators, or two lives of
// one, find the same.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"octo-operator/config"
	"octo-operator/hub"
)

// How the cluster knows the operator, and how long its names are.
const (
	Group        = "octo-mesh.meshmakers.io"     // of labels, annotations and the pools' resources
	FieldManager = "octo-communication-operator" // of the objects that the operator changes itself

	maxName     = 53  // Helm's limit for a release name
	maxLastPart = 24  // a runtime id
	hashLength  = 10  // 40 bits: 24 are matched by trying within seconds
	MaxLabel    = 63  // bytes of a label's value: Kubernetes' limit
	MaxTenantID = 250 // bytes of a tenant's or a workload's id: an event with a longer one is refused
)

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// DNSName joins the parts to a name for Kubernetes objects: lowercase, every run of other characters than letters and
// digits is one dash, at most 53 characters. Up to there it is the reference operator's name. Beyond, that operator cuts
// the end off (ReferenceName), so two workloads of a tenant with a long id share a release; here the tenant is shortened, the end
// kept, and a short hash of the whole makes the name unique. The error is that parts hold no letter or digit.
func DNSName(parts ...string) (string, error) {
	joined := strings.Join(parts, "-")
	name := Sanitize(joined)
	if name == "" {
		return "", fmt.Errorf("cannot make a Kubernetes name of %q: it holds no letter or digit", joined)
	}
	if len(name) <= maxName {
		return name, nil
	}
	hash := ShortHash(parts...)
	last := Sanitize(parts[len(parts)-1])
	last = strings.Trim(last[max(0, len(last)-maxLastPart):], "-")
	first := name[:maxName-len(last)-len(hash)-2]
	return strings.Trim(strings.Trim(first, "-")+"-"+hash+"-"+last, "-"), nil // the last part may hold no letter
}

// Sanitize is s as it may be in the name of a Kubernetes object, whatever its length: lowercase letters, digits and single dashes between
// them. "": s holds no letter or digit.
func Sanitize(s string) string {
	return strings.Trim(notDNS.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// ShortHash is HashOf's first 40 bits as 10 hexadecimal digits: for names that people read, and that nobody gains by matching.
func ShortHash(parts ...string) string {
	return HashOf(parts...)[:hashLength]
}

// HashOf is a hash of the parts, of 160 bits as 40 hexadecimal digits: nobody finds other parts with the same one.
func HashOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:20])
}

// ValidLabel is what Kubernetes takes as a label's value, besides the empty one and the limit MaxLabel.
var (
	ValidLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	notInLabel = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// LabelValue is s where Kubernetes takes it as a label's value; otherwise something like it, unique by a ShortHash.
func LabelValue(s string) string {
	if s == "" || (len(s) <= MaxLabel && ValidLabel.MatchString(s)) {
		return s
	}
	value := notInLabel.ReplaceAllString(s, "-")
	value = strings.Trim(value[:min(len(value), MaxLabel-hashLength-1)], "._-")
	return strings.TrimLeft(value+"-"+ShortHash(s), "-")
}

// Release is where a workload lives in the cluster.
type Release struct {
	Name      string
	Namespace string
	// Own is the name that this operator gives. Name is another one if the reference operator has made the release.
	Own string
}

// ReleaseOf names a workload's release: by its runtime id, in G1 by its name. The error is DNSName's.
func ReleaseOf(settings config.Config, w hub.Workload) (Release, error) {
	name, err := DNSName(w.TenantID, NameOrID(w))
	namespace := settings.PoolNamespace
	if w.WorkloadType == hub.AdapterPool && settings.PlatformNamespace != "" {
		namespace = settings.PlatformNamespace
	}
	return Release{name, namespace, name}, err
}

// NameOrID is what a workload's release is named after: its name in G1, later its runtime id.
func NameOrID(w hub.Workload) string {
	if w.Named() {
		return w.WorkloadName
	}
	return w.WorkloadRtID
}

// Lane is where the release's events follow each other. It is known without a look into the cluster.
func (r Release) Lane() string { return r.Namespace + "/" + r.Own }

// How the names of Secrets end that belong to one release or pool each.
const (
	SecretsEnding = "-octo-secrets"
	BeforeEnding  = "-before" // after SecretsEnding
	BrokerEnding  = "-octo-mesh-connection"
)

// SecretName is the name of the Secret with the release's secret values.
func (r Release) SecretName() string { return r.Name + SecretsEnding }

// BrokerSecret is the name of the Secret by which a pool's workloads reach the broker; pool is the name of its resource.
func BrokerSecret(pool string) string { return pool + BrokerEnding }

// BrokerSecrets are the names that a pool's broker secret may have: this operator's first, then the reference operator's. nil: the pool can
// have no name.
func BrokerSecrets(pool hub.Pool) (names []string) {
	name, err := DNSName(pool.TenantID, pool.ID())
	if err != nil {
		return nil
	}
	for _, name := range append([]string{name}, ReferencePools(pool)...) {
		names = append(names, BrokerSecret(name))
	}
	return names
}

// SecretBefore is the name of the Secret that has what the release's Secret held when the pods of the release were last ready.
func (r Release) SecretBefore() string { return r.SecretName() + BeforeEnding }

// SubjectOf identifies the exact workload or pool of an event. Names in the cluster do not: they leave out case and odd characters.
func SubjectOf(tenant, id string) string { return fmt.Sprintf("%q %q", tenant, id) }
