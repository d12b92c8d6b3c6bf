package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// maxFindings bounds what is told: ten replicas that miss the same image need not all be named.
const maxFindings = 5

type pod struct {
	Metadata struct{ Name string }
	Status   struct {
		Phase                                    string
		Conditions                               []condition
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
}

type condition struct{ Type, Status, Reason, Message string }

type containerStatus struct {
	Name         string
	RestartCount int
	State        struct {
		Waiting, Terminated *struct{ Reason, Message string }
	}
	LastState struct {
		Terminated *struct{ Reason, Message string }
	}
}

type event struct {
	Reason, Message string
	InvolvedObject  struct{ Kind, Name string }
}

// Findings says what keeps a release's pods from becoming ready, one line each, in a stable order; nothing when nothing
// is wrong, or not yet.
func (k *Kubectl) Findings(ctx context.Context, namespace, release string) ([]string, error) {
	pods, err := list[pod](ctx, k, request{path: labelled(collection(core, namespace, "pods"), "app.kubernetes.io/instance="+release)})
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of release %s: %w", release, err)
	}
	events, err := list[event](ctx, k, request{path: collection(core, namespace, "events") + "?fieldSelector=type%3DWarning"})
	if err != nil {
		return nil, fmt.Errorf("cannot list the events in namespace %s: %w", namespace, err)
	}
	return findings(release, pods, events), nil
}

// findings puts what pods say of themselves before the events about them: an event may be about what is over.
func findings(release string, pods []pod, events []event) []string {
	var found []string
	told := map[string]bool{}
	for _, p := range pods {
		for _, problem := range p.problems() {
			found = append(found, "pod "+p.Metadata.Name+": "+problem)
			told[p.Metadata.Name] = true
		}
	}
	for _, e := range events {
		// Pods and replica sets are named after what owns them, and that after the release.
		if strings.HasPrefix(e.InvolvedObject.Name+"-", release+"-") && !told[e.InvolvedObject.Name] {
			found = append(found, fmt.Sprintf("%s %s: %s", strings.ToLower(e.InvolvedObject.Kind), e.InvolvedObject.Name, reasonOf(e.Reason, e.Message)))
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if more := len(found) - maxFindings; more > 0 {
		found = append(found[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return found
}

// starting are reasons of a container that is on its way.
var starting = []string{"", "ContainerCreating", "PodInitializing", "Completed"}

func (p pod) problems() []string {
	var problems []string
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" {
			problems = append(problems, reasonOf(c.Reason, c.Message))
		}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && !slices.Contains(starting, w.Reason) {
			problem := reasonOf(w.Reason, w.Message)
			if last := c.LastState.Terminated; last != nil {
				problem += " (last: " + reasonOf(last.Reason, last.Message) + ")"
			}
			problems = append(problems, "container "+c.Name+": "+problem)
		} else if t := c.State.Terminated; t != nil && !slices.Contains(starting, t.Reason) {
			problems = append(problems, "container "+c.Name+": "+reasonOf(t.Reason, t.Message))
		}
	}
	return problems
}

func reasonOf(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + strings.TrimSpace(message)
}
