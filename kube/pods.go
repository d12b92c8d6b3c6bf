package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

type pod struct {
	Metadata identity
	Status   struct {
		Phase, Reason, Message                   string
		StartTime                                time.Time
		Conditions                               []condition
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
}

type containerStatus struct {
	Name  string
	Ready bool
	State struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{}
		Terminated *termination
	}
	LastState struct{ Terminated *termination }
}

type termination struct {
	ExitCode, Signal int
	Reason, Message  string
	FinishedAt       time.Time
}

// problem is what is wrong with a pod or with what makes pods, as one line without its name.
type problem struct {
	text     string
	hopeless bool // time does not mend it
}

// condition tells whether the pod has the condition.
func (p pod) condition(kind, status string) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c condition) bool { return c.Type == kind && c.Status == status })
}

func (p pod) containers() []containerStatus {
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
}

// problems are those of a pod's own status. since is when the deploy began.
func (p pod) problems(since, now time.Time) []problem {
	if p.done(since) {
		return nil
	}
	var all []problem
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" {
			all = append(all, problem{text: c.String()})
		}
	}
	if p.Status.Phase == "Failed" && p.Status.Reason != "" { // such as Evicted
		all = append(all, problem{text: reasonOf(p.Status.Reason, p.Status.Message)})
	}
	begun := slices.MaxFunc([]time.Time{p.Status.StartTime, since}, time.Time.Compare)
	for _, c := range p.containers() {
		if found := c.problem(since, now.Sub(begun)); found.text != "" {
			all = append(all, problem{"container " + c.Name + ": " + found.text, found.hopeless})
		}
	}
	return all
}

// done tells whether a pod has nothing to say about a deploy that began at since.
func (p pod) done(since time.Time) bool {
	switch {
	case p.Metadata.DeletionTimestamp != "" || p.Status.Phase == "Succeeded" || p.condition("Ready", "True"):
		return true
	case p.Status.Phase != "Failed":
		return false
	}
	last := p.Metadata.CreationTimestamp
	for _, c := range p.Status.Conditions {
		last = slices.MaxFunc([]time.Time{last, c.changed()}, time.Time.Compare)
	}
	for _, c := range p.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt
		}
	}
	return last.Before(since) // it failed before, and stays until somebody removes it
}

// starting are reasons of a container that is on its way.
var starting = []string{"", "ContainerCreating", "PodInitializing"}

// problem of a container in a pod that is not ready, and was waited for so long. It has no text if there is none.
func (c containerStatus) problem(since time.Time, waited time.Duration) problem {
	last := ""
	if t := c.LastState.Terminated; t != nil {
		last = " (last: " + t.String() + ")"
	}
	state := c.State
	switch {
	case state.Waiting != nil && !slices.Contains(starting, state.Waiting.Reason):
		reason, message := state.Waiting.Reason, state.Waiting.Message
		return problem{reasonOf(reason, message) + last, hopeless(reason, message, waited)}
	case state.Terminated != nil && state.Terminated.ExitCode != 0:
		return problem{text: "terminated: " + state.Terminated.String()}
	case state.Running != nil && !c.Ready && last != "" && !c.LastState.Terminated.FinishedAt.Before(since):
		return problem{text: "was restarted" + last}
	}
	return problem{}
}

// String is such as: exit code 137, OOMKilled.
func (t termination) String() string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Signal != 0 {
		text += fmt.Sprintf(", signal %d", t.Signal)
	}
	if t.Reason != "" && t.Reason != "Error" { // so says every exit code but 0
		text += ", " + t.Reason
	}
	if t.Message != "" {
		text += ": " + strings.TrimSpace(t.Message)
	}
	return text
}

// What a container refers to may be made by somebody else a little later: by a Job of the release, external-secrets, cert-manager.
// They take seconds; the kubelet looks again every ten or so. What the operator itself makes is there before the pod.
const (
	missingPatience = 30 * time.Second
	ownSecret       = "-octo-secrets"
)

// missing are the kubelet's words for a Secret, a ConfigMap or a key in one that does not exist.
var missing = regexp.MustCompile(`(secret|configmap) "[^"]*" not found|couldn't find key .* in (Secret|ConfigMap) `)

// hopeless tells whether a container that waits for this reason will do so for ever. An image that cannot be pulled is none of
// these: registries are away, and images are pushed late.
func hopeless(reason, message string, waited time.Duration) bool {
	switch reason {
	case "InvalidImageName", "ErrImageNeverPull":
		return true
	case "CreateContainerConfigError":
		return missing.MatchString(message) && (waited > missingPatience || strings.Contains(message, ownSecret))
	}
	return false
}

// isOver tells whether an event is about what the pod is past.
func (p pod) isOver(e event) bool {
	switch e.Reason {
	case "FailedScheduling":
		return p.condition("PodScheduled", "True")
	case "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox":
		return p.Status.Phase == "Running"
	case "Unhealthy": // the kubelet says which container; nodes that are none of its need not
		about := e.InvolvedObject.FieldPath
		return !slices.ContainsFunc(p.containers(), func(c containerStatus) bool {
			return c.State.Running != nil && !c.Ready && (about == "" || strings.HasSuffix(about, "{"+c.Name+"}"))
		})
	}
	return false
}

func reasonOf(reason, message string) string {
	message = strings.TrimSpace(message)
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}
