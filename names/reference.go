package names

import (
	"regexp"
	"slices"
	"strings"

	"octo-operator/hub"
)

// Up to 53 characters, the reference operator's names are the same as this operator's. Where they differ, objects that it has made keep their names.

// ReferenceName returns the reference operator's name for parts: that of DNSName, but with the end cut off if it is too long.
func ReferenceName(parts ...string) string {
	name := Sanitize(strings.Join(parts, "-"))
	if len(name) <= maxName {
		return name
	}
	return strings.TrimRight(name[:maxName], "-")
}

var oddCharacter = regexp.MustCompile(`[^a-z0-9-]`)

// firstReleaseName returns a release's name in the reference operator's first versions, which knew workloads by their names: each special character
// becomes a dash.
func firstReleaseName(parts ...string) string {
	name := strings.Trim(oddCharacter.ReplaceAllString(strings.ToLower(strings.Join(parts, "-")), "-"), "-")
	return name[:min(len(name), maxName)]
}

// firstPoolName returns the name of a pool's resource in the reference operator's first versions.
func firstPoolName(parts ...string) string { return strings.ToLower(strings.Join(parts, "-")) }

// ReferenceReleases returns the names, besides this operator's own, that the reference operator may have given to a workload's release; for most
// workloads there is none.
func ReferenceReleases(w hub.Workload) []string {
	names := []string{ReferenceName(w.TenantID, NameOrID(w))}
	if w.Named() {
		names = append(names, firstReleaseName(w.TenantID, w.WorkloadName))
	}
	return otherNames(names, w.TenantID, NameOrID(w))
}

// ReferencePools returns the names, besides this operator's own, that the reference operator may have given to a pool's resource.
func ReferencePools(p hub.Pool) []string {
	names := []string{ReferenceName(p.TenantID, p.ID())}
	if p.Named() {
		names = append(names, firstPoolName(p.TenantID, p.ID()))
	}
	return otherNames(names, p.TenantID, p.ID())
}

// kubernetesName matches a name that the API server accepts for an object. Helm's rule for releases is stricter only in the length.
var kubernetesName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// otherNames returns those of the names that Kubernetes accepts and that differ from DNSName's, each once.
func otherNames(names []string, parts ...string) []string {
	ours, _ := DNSName(parts...)
	names = slices.DeleteFunc(names, func(name string) bool { return name == ours || !kubernetesName.MatchString(name) })
	return slices.Compact(names)
}

// ReferenceLabel returns the label value that the reference operator makes of s. Unlike LabelValue, it may return the same value for two texts.
func ReferenceLabel(s string) string {
	value := strings.Trim(oddInLabel.ReplaceAllString(s, "-"), "-_.")
	if value == "" {
		return "unknown"
	}
	return strings.TrimRight(value[:min(len(value), MaxLabel)], "-_.")
}

var oddInLabel = regexp.MustCompile(`[^A-Za-z0-9._-]`)
