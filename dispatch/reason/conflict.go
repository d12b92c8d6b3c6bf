package reason

import (
	"slices"
	"strings"

	"octo-operator/names"
	"octo-operator/text"
)

// conflict is a field manager that owns fields which helm would change.
type conflict struct {
	manager, subresource string
	fields               []string
}

var (
	conflictWith = text.NewPattern(`conflicts? with "([^"]+)"(?: with subresource "([^"]+)")?(?: using [^:\s]+)?:((?:\n- [^\n]+)+| [^\n]+)`)
	fieldEnd     = text.NewPattern(`: .*$`) // after it helm says why the rollback failed
)

// conflictFound explains a conflict in which helm overwrites nothing: which field, who owns it, and the two ways out.
func conflictFound(_ Failure, m match) string {
	var all []conflict
	others := -1
	for _, found := range conflictWith.FindAllStringSubmatch(m.words[m.from:], -1) {
		c := conflict{manager: found[1], subresource: found[2]}
		for field := range strings.Lines(strings.TrimSpace(found[3])) {
			field = fieldEnd.ReplaceAllString(strings.TrimPrefix(strings.TrimSpace(field), "- "), "")
			if !slices.Contains(c.fields, field) {
				c.fields = append(c.fields, field)
			}
		}
		all = append(all, c)
		others += len(c.fields)
	}
	if others < 0 {
		return ""
	}
	return m.with("field", all[0].fields[0]+more(others), "manager", all[0].manager).fill(all[0].line())
}

const takeTheField = "let helm take the field with OPERATOR__HELM__FORCECONFLICTS=true"

// byHand are the field managers of kubectl commands that a person types: kubectl-edit is kubectl edit.
var byHand = []string{
	"kubectl-edit", "kubectl-set", "kubectl-patch", "kubectl-replace", "kubectl-create", "kubectl-label", "kubectl-annotate",
	"kubectl-rollout", "kubectl-autoscale", "kubectl-expose", "kubectl-run",
}

// line says who owns the fields: helm, this operator, kubectl or another, by the manager's name.
func (c conflict) line() string {
	const kept = ", and helm does not overwrite it: "
	switch scaled := c.subresource == "scale"; {
	case c.manager == "helm":
		return "{object}: the field {field} was last set by helm itself in an older way (field manager {manager}), which counts as somebody else: " + takeTheField
	case c.manager == "before-first-apply":
		return "{object}: the field {field} was set before the cluster noted who sets fields (field manager {manager}), most likely by helm itself: " + takeTheField
	case c.manager == names.FieldManager && c.fields[0] == ".spec.replicas":
		return "{object}: the field {field} was set by this operator's own scaling (field manager {manager})" + kept +
			"scale the workload to what the values say, or " + takeTheField
	case c.manager == names.FieldManager:
		return "{object}: the field {field} was set by this operator itself (field manager {manager})" + kept + takeTheField
	case c.manager == "kube-controller-manager" && scaled:
		return "{object}: the field {field} is set by a HorizontalPodAutoscaler (field manager {manager})" + kept +
			"leave the count of replicas out of the values, or remove the autoscaler"
	case c.manager == "kubectl" && scaled:
		return "{object}: the field {field} was changed by hand with kubectl scale (field manager {manager})" + kept + "scale it back, or " + takeTheField
	case c.manager == "kubectl-client-side-apply" || c.manager == "kubectl":
		return "{object}: the field {field} was set with kubectl apply (field manager {manager})" + kept + "undo that there, or " + takeTheField
	case slices.Contains(byHand, c.manager):
		return "{object}: the field {field} was changed by hand with " + strings.Replace(c.manager, "-", " ", 1) +
			" (field manager {manager})" + kept + "undo that change, or " + takeTheField
	}
	return "{object}: the field {field} is set by {manager} (its field manager)" + kept + "undo that there, or " + takeTheField
}
