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

// problem is what is wrong with a pod or its owner: one line, without the name.
type problem struct {
	text     string
	hopeless bool // waiting does not help
}

// condition tells whether the pod has a condition with that status.
func (p pod) condition(kind, status string) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c condition) bool { return c.Type == kind && c.Status == status })
}

func (p pod) containers() []containerStatus {
	return slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
}

// problems returns the problems that the pod's own status shows. since is when the deploy began.
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

// done tells whether the pod says nothing about a deploy that began at since: it is ready, is being deleted, has succeeded, or failed before.
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
	return last.Before(since) // failed before the deploy, and remains until somebody deletes it
}

// starting are the waiting reasons of a container that is being started normally.
var starting = []string{"", "ContainerCreating", "PodInitializing"}

// problem returns what is wrong with a container of a pod that is not ready; its text is "" if nothing is. waited is how long the
// container has had time to start.
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

// String returns a text such as "exit code 137, OOMKilled".
func (t termination) String() string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Signal != 0 {
		text += fmt.Sprintf(", signal %d", t.Signal)
	}
	if t.Reason != "" && t.Reason != "Error" { // "Error" stands at every exit code but 0
		text += ", " + t.Reason
	}
	if t.Message != "" {
		text += ": " + strings.TrimSpace(t.Message)
	}
	return text
}

// A Secret or ConfigMap that does not exist may still be made: by a Job of the release, external-secrets or cert-manager. They take
// seconds, and the kubelet looks again about every ten seconds. The operator's own Secret is made before the pod, so if it is missing,
// waiting does not help.
const (
	missingPatience = 30 * time.Second
	ownSecret       = "-octo-secrets"
)

// missing matches the kubelet's messages for a Secret, a ConfigMap, or a key in one, that does not exist.
var missing = regexp.MustCompile(`(secret|configmap) "[^"]*" not found|couldn't find key .* in (Secret|ConfigMap) `)

// hopeless tells whether a container that waits for this reason will wait for ever. An image that cannot be pulled is not hopeless: the
// registry may be down, or the image not pushed yet.
func hopeless(reason, message string, waited time.Duration) bool {
	switch reason {
	case "InvalidImageName", "ErrImageNeverPull":
		return true
	case "CreateContainerConfigError":
		return missing.MatchString(message) && (waited > missingPatience || strings.Contains(message, ownSecret))
	}
	return false
}

// isPast tells whether an event is about a problem that the pod no longer has.
func (p pod) isPast(e event) bool {
	switch e.Reason {
	case "FailedScheduling":
		return p.condition("PodScheduled", "True")
	case "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox":
		return p.Status.Phase == "Running"
	case "Unhealthy": // the kubelet names the container, but simulated nodes may not
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
