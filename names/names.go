// Package names computes the names of what the operator creates in the cluster (releases, Secrets, labels, accounts), and the reference operator's
// names where they differ. From an object's labels, annotations and values it tells to whom the object belongs. Names are pure functions of the event
// and the settings: two operators, or two lives of one operator, compute the same name.
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
	hashLength  = 10  // 40 bits: a match for 24 bits can be found by trial within seconds
	MaxLabel    = 63  // bytes of a label's value: Kubernetes' limit
	MaxTenantID = 250 // bytes of a tenant's or a workload's id: an event with a longer one is refused
)

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// DNSName joins the parts to a name for Kubernetes objects of at most 53 characters: lowercase, with one dash for each run of characters that are
// neither letters nor digits. Up to that length it is also the reference operator's name. That operator cuts the end off a longer name
// (ReferenceName), so that two workloads of a tenant with a long id share a release. Here the tenant is shortened instead, the end is kept, and a
// short hash of all parts makes the name unique. It is an error if the parts hold no letter or digit.
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

// Sanitize makes of s what is valid in a Kubernetes object's name, apart from the length: lowercase letters, digits and single dashes between them.
// "" means that s holds no letter or digit.
func Sanitize(s string) string {
	return strings.Trim(notDNS.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

// ShortHash returns the first 40 bits of HashOf as 10 hexadecimal digits: for names that people read, and where nobody gains anything by a match.
func ShortHash(parts ...string) string {
	return HashOf(parts...)[:hashLength]
}

// HashOf returns a hash of the parts, 160 bits as 40 hexadecimal digits: nobody can find other parts with the same hash.
func HashOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:20])
}

// ValidLabel matches what Kubernetes accepts as a label's value, apart from the limit MaxLabel and the empty value, which is valid too.
var (
	ValidLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	notInLabel = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// LabelValue returns s if Kubernetes accepts it as a label's value, otherwise a similar value that a ShortHash makes unique.
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
	// Own is the name that this operator gives. Name differs from it if the reference operator has made the release.
	Own string
}

// ReleaseOf returns a workload's release, named after its runtime id, in G1 after its name. The error is DNSName's.
func ReleaseOf(settings config.Config, w hub.Workload) (Release, error) {
	name, err := DNSName(w.TenantID, NameOrID(w))
	namespace := settings.PoolNamespace
	if w.WorkloadType == hub.AdapterPool && settings.PlatformNamespace != "" {
		namespace = settings.PlatformNamespace
	}
	return Release{name, namespace, name}, err
}

// NameOrID returns what a workload's release is named after: its name in G1, later its runtime id.
func NameOrID(w hub.Workload) string {
	if w.Named() {
		return w.WorkloadName
	}
	return w.WorkloadRtID
}

// Lane returns the release's lane. It uses Own, not Name, because Own is known without asking the cluster.
func (r Release) Lane() string { return r.Namespace + "/" + r.Own }

// Endings of the names of Secrets that belong to one release or pool.
const (
	SecretsEnding = "-octo-secrets"
	BeforeEnding  = "-before" // after SecretsEnding
	BrokerEnding  = "-octo-mesh-connection"
)

// SecretName returns the name of the Secret with the release's secret values.
func (r Release) SecretName() string { return r.Name + SecretsEnding }

// BrokerSecret returns the name of the Secret with which a pool's workloads log in to the broker; pool is the name of its resource.
func BrokerSecret(pool string) string { return pool + BrokerEnding }

// BrokerSecrets returns the names that a pool's broker Secret may have: this operator's first, then the reference operator's. nil: DNSName can make
// no name of the pool.
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

// SecretBefore returns the name of the Secret that keeps what the release's Secret held when the release's pods were last ready.
func (r Release) SecretBefore() string { return r.SecretName() + BeforeEnding }

// SubjectOf identifies the exact workload or pool of an event. Names in the cluster do not, because they leave out case and special characters.
func SubjectOf(tenant, id string) string { return fmt.Sprintf("%q %q", tenant, id) }
