package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// definition is a CustomResourceDefinition of pools.
type definition struct {
	plural, version string
	generations     []hub.Generation // of the controllers that use such pools
}

var definitions = []definition{
	{"communicationpools", "v1alpha1", []hub.Generation{hub.G1, hub.G3}},
	{"deploymentsites", "v1", []hub.Generation{hub.G4}},
}

const applyDefinitions = "kubectl apply --server-side -f deploy/crds, or install the chart with octo-mesh-crds.enabled=true"

// definitions tells which kinds of pool resources the cluster has, and who has created them.
func (x *examination) definitions(ctx context.Context) (all []Finding) {
	served, err := x.served(ctx)
	if err != nil {
		return []Finding{found(Fail, "definitions", "cannot look which the cluster has: %v", err).todo(slowCluster)}
	}
	generation := x.generation(ctx)
	for _, d := range definitions {
		check := "CRD " + d.plural + "." + names.Group
		versions := served[d.plural]
		switch {
		case slices.Contains(versions, d.version):
			all = append(all, found(OK, check, "serves %s; %s", strings.Join(versions, ", "), x.madeBy(ctx, d.plural)))
		case len(versions) > 0:
			all = append(all, found(Fail, check, "serves %s, and the operator asks for %s; %s", strings.Join(versions, ", "), d.version, x.madeBy(ctx, d.plural)).
				todo(applyDefinitions))
		case slices.Contains(d.generations, generation), len(served) == 0:
			all = append(all, found(Fail, check, "does not exist").todo("%s: without it no pool can be made or registered", applyDefinitions))
		case generation != 0:
			all = append(all, found(OK, check, "does not exist; the controller is of generation %s and needs none", generation))
		default:
			all = append(all, found(Warn, check, "does not exist; a controller of generation %s needs it", d.generations[len(d.generations)-1]).
				todo(applyDefinitions))
		}
	}
	return all
}

// served returns the served versions of each resource of our group. It uses discovery, which everybody may.
func (x *examination) served(ctx context.Context) (map[string][]string, error) {
	var group struct{ Versions []struct{ Version string } }
	err := x.api.Do(ctx, http.MethodGet, "/apis/"+names.Group, nil, &group)
	if kube.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for _, v := range group.Versions {
		var resources struct{ Resources []struct{ Name string } }
		if err := x.api.Do(ctx, http.MethodGet, "/apis/"+names.Group+"/"+url.PathEscape(v.Version), nil, &resources); err != nil {
			return nil, err
		}
		for _, r := range resources.Resources {
			if !strings.Contains(r.Name, "/") { // not a subresource, such as communicationpools/status
				all[r.Name] = append(all[r.Name], v.Version)
			}
		}
	}
	return all, nil
}

// madeBy tells who owns a definition, by helm's labels and annotations or by the manager of its fields. The chart's role does not allow
// it to read them.
func (x *examination) madeBy(ctx context.Context, plural string) string {
	var object struct {
		Metadata struct {
			Labels, Annotations map[string]string
			ManagedFields       []struct{ Manager, Subresource string }
		}
	}
	path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + plural + "." + names.Group
	if err := x.api.Do(ctx, http.MethodGet, path, nil, &object); err != nil {
		return "who has made it cannot be told: this account may not read CRDs"
	}
	m := object.Metadata
	var managers []string
	for _, f := range m.ManagedFields {
		if f.Subresource == "" && !slices.Contains(managers, f.Manager) {
			managers = append(managers, f.Manager)
		}
	}
	told := "of no helm release"
	if release := m.Annotations["meta.helm.sh/release-name"]; release != "" {
		told = fmt.Sprintf("of helm release %s in namespace %s, %s", release, m.Annotations["meta.helm.sh/release-namespace"], chartOf(m.Labels["helm.sh/chart"]))
	}
	if len(managers) > 0 {
		told += ", written by " + strings.Join(managers, " and ")
	}
	return told
}

// chartOf returns the chart's name from the label that helm's charts give to their objects.
func chartOf(label string) string {
	switch {
	case strings.HasPrefix(label, "octo-operator-"):
		return "of this operator's chart " + label
	case strings.HasPrefix(label, "octo-mesh"):
		return "of the reference operator's chart " + label
	case label == "":
		return "of a chart that does not say its name"
	}
	return "of another chart, " + label
}
