package handlers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"octo-operator/hub"
)

// checkOwner finds out whether the release, if it exists, is this workload's. A release without our labels is taken
// over: the reference operator made it, or a person did on its behalf.
func (h *Handlers) checkOwner(ctx context.Context, r release, w hub.Workload) <-chan error {
	answer := make(chan error, 1)
	go func() {
		found, err := h.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
		if err != nil {
			answer <- err
			return
		}
		answer <- foreignOwner(r, found, workloadLabels(w))
	}()
	return answer
}

// foreignOwner is an error when a label of ours says that the release is another workload's.
func foreignOwner(r release, found, own map[string]string) error {
	for _, label := range sortedKeys(own) {
		if has, ok := found[label]; ok && has != own[label] && identity(label) {
			return fmt.Errorf("release %s in namespace %s belongs to another workload: its label %s is %q, this workload's is %q: undeploy the other one, or rename one of them",
				r.name, r.namespace, label, has, own[label])
		}
	}
	return nil
}

// identity tells the labels that say whose a release is. A workload may move to another pool, so the pool is not one.
func identity(label string) bool {
	return label == group+"/tenant" || label == group+"/workload-rt-id"
}

func joinLabels(labels map[string]string) string {
	var pairs []string
	for _, key := range sortedKeys(labels) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
