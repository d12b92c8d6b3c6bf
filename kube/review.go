package kube

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Access is one thing that somebody may or may not do in the cluster.
type Access struct {
	Verb, Group, Resource string // Resource may have a subresource, such as communicationpools/status
	Namespace             string // "": in all namespaces, or a resource that is in none
	Name                  string // "": whatever its name is
}

// String returns a text such as "create secrets" or "patch deploymentsites.octo-mesh.meshmakers.io/status".
func (a Access) String() string {
	resource, below, nested := strings.Cut(a.Resource, "/")
	if a.Group != "" {
		resource += "." + a.Group
	}
	if nested {
		resource += "/" + below
	}
	return strings.TrimSpace(a.Verb + " " + resource + " " + a.Name)
}

// The reviews are requests that create nothing: the API server answers a question.
const reviews = "/apis/authorization.k8s.io/v1"

// May asks the API server whether the operator, or the user of ctx (see As), may do something. The error is that of Do.
func (k *Client) May(ctx context.Context, a Access) (bool, error) {
	resource, below, _ := strings.Cut(a.Resource, "/")
	question := map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": map[string]any{
		"resourceAttributes": map[string]string{
			"verb": a.Verb, "group": a.Group, "resource": resource, "subresource": below, "namespace": a.Namespace, "name": a.Name,
		},
	}}
	var answer struct{ Status struct{ Allowed bool } }
	if err := k.Do(ctx, http.MethodPost, reviews+"/selfsubjectaccessreviews", question, &answer); err != nil {
		return false, fmt.Errorf("cannot ask who may %s: %w", a, err)
	}
	return answer.Status.Allowed, nil
}

// asking is how many of the questions of Missing are sent at a time.
const asking = 4

// Missing returns those of the accesses that the API server does not allow, in their order. All must be in one namespace ("": all namespaces). It
// asks once for all rules of the namespace, and singly only about what these do not allow, because the rules may be incomplete.
func (k *Client) Missing(ctx context.Context, namespace string, wanted []Access) (missing []Access, err error) {
	unclear := wanted
	if namespace != "" { // the rules of one namespace say nothing about all namespaces
		rules, err := k.policyRules(ctx, namespace)
		if err != nil {
			return nil, err
		}
		unclear = slices.DeleteFunc(slices.Clone(wanted), func(a Access) bool {
			return slices.ContainsFunc(rules, func(r policyRule) bool { return r.allows(a) })
		})
	}
	allowed, errs := make([]bool, len(unclear)), make([]error, len(unclear))
	slots, all := make(chan struct{}, asking), sync.WaitGroup{}
	for i, a := range unclear {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			a.Namespace = namespace
			allowed[i], errs[i] = k.May(ctx, a)
		})
	}
	all.Wait()
	for i, a := range unclear {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if !allowed[i] {
			missing = append(missing, a)
		}
	}
	return missing, nil
}

// policyRule is a rule as roles have it.
type policyRule struct{ Verbs, APIGroups, Resources, ResourceNames []string }

func (r policyRule) allows(a Access) bool {
	has := func(list []string, entries ...string) bool {
		return slices.ContainsFunc(append(entries, "*"), func(entry string) bool { return slices.Contains(list, entry) })
	}
	_, below, nested := strings.Cut(a.Resource, "/")
	resource := has(r.Resources, a.Resource) || nested && has(r.Resources, "*/"+below)
	return resource && has(r.Verbs, a.Verb) && has(r.APIGroups, a.Group) && len(r.ResourceNames) == 0
}

// policyRules returns what the operator, or the user of ctx (see As), may do in a namespace, as far as the API server can list it.
func (k *Client) policyRules(ctx context.Context, namespace string) ([]policyRule, error) {
	question := map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": map[string]string{"namespace": namespace},
	}
	var answer struct {
		Status struct{ ResourceRules []policyRule }
	}
	if err := k.Do(ctx, http.MethodPost, reviews+"/selfsubjectrulesreviews", question, &answer); err != nil {
		return nil, fmt.Errorf("cannot ask what may be done in namespace %s: %w", namespace, err)
	}
	return answer.Status.ResourceRules, nil
}
