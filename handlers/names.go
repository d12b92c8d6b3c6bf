package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"octo-operator/config"
	"octo-operator/hub"
)

const (
	group        = "octo-mesh.meshmakers.io"
	fieldManager = "octo-communication-operator"

	maxName     = 53 // Helm's limit for a release name
	maxLastPart = 24 // a runtime id
	hashLength  = 10 // 40 bits: 24 are matched by trying within seconds
	maxLabel    = 63
	maxTenantID = 250 // bytes of a tenant's or a workload's id
)

var notDNS = regexp.MustCompile(`[^a-z0-9]+`)

// dnsName joins the parts to a name for Kubernetes objects: lowercase, every run of other characters than letters and
// digits is one dash, at most 53 characters. Up to there it is the reference operator's name. Beyond, that operator cuts
// the end off (cutName), so two workloads of a tenant with a long id share a release; here the tenant is shortened, the end
// kept, and a short hash of the whole makes the name unique.
func dnsName(parts ...string) (string, error) {
	joined := strings.Join(parts, "-")
	name := sanitize(joined)
	if name == "" {
		return "", fmt.Errorf("cannot make a Kubernetes name of %q: it holds no letter or digit", joined)
	}
	if len(name) <= maxName {
		return name, nil
	}
	hash := shortHash(parts...)
	last := sanitize(parts[len(parts)-1])
	last = strings.Trim(last[max(0, len(last)-maxLastPart):], "-")
	first := name[:maxName-len(last)-len(hash)-2]
	return strings.Trim(strings.Trim(first, "-")+"-"+hash+"-"+last, "-"), nil // the last part may hold no letter
}

func sanitize(s string) string {
	return strings.Trim(notDNS.ReplaceAllString(strings.ToLower(s), "-"), "-")
}

func shortHash(parts ...string) string {
	return hashOf(parts...)[:hashLength]
}

// hashOf is of 160 bits: nobody finds another text with the same one.
func hashOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:20])
}

var (
	validLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	notInLabel = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// labelValue is s where Kubernetes takes it as a label's value; otherwise something like it, unique by a short hash.
func labelValue(s string) string {
	if s == "" || (len(s) <= maxLabel && validLabel.MatchString(s)) {
		return s
	}
	value := notInLabel.ReplaceAllString(s, "-")
	value = strings.Trim(value[:min(len(value), maxLabel-hashLength-1)], "._-")
	return strings.TrimLeft(value+"-"+shortHash(s), "-")
}

// release is where a workload lives in the cluster.
type release struct {
	name      string
	namespace string
	// own is the name that this operator gives. name is another one where the reference operator has made the release: see locate.
	own string
}

// releaseOf names a workload's release: by its runtime id, in G1 by its name.
func releaseOf(settings config.Config, w hub.Workload) (release, error) {
	name, err := dnsName(w.TenantID, nameOrID(w))
	namespace := settings.PoolNamespace
	if w.WorkloadType == hub.AdapterPool && settings.PlatformNamespace != "" {
		namespace = settings.PlatformNamespace
	}
	return release{name, namespace, name}, err
}

func nameOrID(w hub.Workload) string {
	if w.Named() {
		return w.WorkloadName
	}
	return w.WorkloadRtID
}

// lane is where the release's events follow each other. It is known without a look into the cluster.
func (r release) lane() string { return r.namespace + "/" + r.own }

// The ends of the names of Secrets that belong to one release or pool each.
const (
	secretsEnding = "-octo-secrets"
	beforeEnding  = "-before" // after secretsEnding
	brokerEnding  = "-octo-mesh-connection"
)

func (r release) secretName() string { return r.name + secretsEnding }

func brokerSecret(pool string) string { return pool + brokerEnding }

// brokerSecrets are the names that a pool's broker secret may have: of this operator's making, and of the reference operator's.
func brokerSecrets(pool hub.Pool) (names []string) {
	name, err := dnsName(pool.TenantID, pool.ID())
	if err != nil {
		return nil
	}
	for _, name := range append([]string{name}, referencePools(pool)...) {
		names = append(names, brokerSecret(name))
	}
	return names
}

// secretBefore is the name of the Secret that has what the release's Secret held when the pods of the release were last ready.
func (r release) secretBefore() string { return r.secretName() + beforeEnding }

// ownerOf is the same for two events only if they are one workload's or pool's: names in the cluster leave case and odd characters out.
func ownerOf(tenant, id string) string { return fmt.Sprintf("%q %q", tenant, id) }
