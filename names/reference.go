package names

import (
	"regexp"
	"slices"
	"strings"

	"octo-operator/hub"
)

// The reference operator's names are this operator's up to 53 characters. Where they differ, what it has made goes on under its name.

// ReferenceName is the reference operator's name for parts: DNSName's, but what is too long loses its end.
func ReferenceName(parts ...string) string {
	name := Sanitize(strings.Join(parts, "-"))
	if len(name) <= maxName {
		return name
	}
	return strings.TrimRight(name[:maxName], "-")
}

var oddCharacter = regexp.MustCompile(`[^a-z0-9-]`)

// firstReleaseName is a release's name in its first versions, which knew workloads by their name: as many dashes as there are odd
// characters.
func firstReleaseName(parts ...string) string {
	name := strings.Trim(oddCharacter.ReplaceAllString(strings.ToLower(strings.Join(parts, "-")), "-"), "-")
	return name[:min(len(name), maxName)]
}

// firstPoolName is the name of a pool's resource in its first versions.
func firstPoolName(parts ...string) string { return strings.ToLower(strings.Join(parts, "-")) }

// ReferenceReleases are the names, besides this operator's own, that the reference operator may have given to a workload's release;
// for most workloads there is none.
func ReferenceReleases(w hub.Workload) []string {
	names := []string{ReferenceName(w.TenantID, NameOrID(w))}
	if w.Named() {
		names = append(names, firstReleaseName(w.TenantID, w.WorkloadName))
	}
	return otherNames(names, w.TenantID, NameOrID(w))
}

// ReferencePools are the names, besides this operator's own, that the reference operator may have given to a pool's resource.
func ReferencePools(p hub.Pool) []string {
	names := []string{ReferenceName(p.TenantID, p.ID())}
	if p.Named() {
		names = append(names, firstPoolName(p.TenantID, p.ID()))
	}
	return otherNames(names, p.TenantID, p.ID())
}

// kubernetesName is one that the API server takes for an object. Helm's rule for releases is stricter in length alone.
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// otherNames are those of the names that Kubernetes takes and that are not DNSName's, each once.
func otherNames(names []string, parts ...string) []string {
	ours, _ := DNSName(parts...)
	names = slices.DeleteFunc(names, func(name string) bool { return name == ours || !kubernetesName.MatchString(name) })
	return slices.Compact(names)
}

// ReferenceLabel is the reference operator's value of a label: what Kubernetes takes of s. Unlike LabelValue's, two of them may be the same.
func ReferenceLabel(s string) string {
	value := strings.Trim(oddInLabel.ReplaceAllString(s, "-"), "-_.")
	if value == "" {
		return "unknown"
	}
	return strings.TrimRight(value[:min(len(value), MaxLabel)], "-_.")
}

var oddInLabel = regexp.MustCompile(`[^A-Za-z0-9._-]`)
