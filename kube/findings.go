package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"octo-operator/text"
)

const (
	maxFindings = 5   // ten replicas without their image need not all be named
	longestLine = 500 // bytes
)

// findings sorts the lines, removes duplicates, and cuts them to maxFindings and a line "and N more".
func findings(found []string) []string {
	var all []string
	for _, text := range found {
		all = append(all, line(text))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if more := len(all) - maxFindings; more > 0 {
		all = append(all[:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return all
}

// line returns a text as one printable line of at most longestLine bytes. The text may be anybody's: of a chart, an image, a webhook. A longer one is cut
// between two words, since the part of a password that is left of it would not be known as one.
func line(of string) string {
	of = strings.TrimSpace(text.Printable(of))
	if len(of) <= longestLine {
		return of
	}
	cut := text.Cut(of, longestLine-len("…"))
	if end := strings.LastIndexByte(cut, ' '); end > 0 {
		cut = cut[:end+1]
	}
	return cut + "…"
}

const instance = "app.kubernetes.io/instance="

// HookFindings says what is wrong with the hooks of a release that were started after since: its Jobs and their pods, and hooks that are pods. It
// finds them by the label app.kubernetes.io/instance, on the Job (if the operator's role allows to list Jobs) or on the pod. Each text is one line;
// nil: nothing is wrong.
func (k *Client) HookFindings(ctx context.Context, namespace, release string, since time.Time) ([]string, error) {
	l := k.inspection(since)
	jobs, err := list[live](ctx, k, request{path: labelled(collection("/apis/batch/v1", namespace, "jobs"), instance+release)})
	if err = l.unlessForbidden(err, "Jobs"); err != nil {
		return nil, fmt.Errorf("cannot list the Jobs of release %s: %w", release, err)
	}
	for _, job := range jobs {
		if job.Metadata.CreationTimestamp.Before(l.since) {
			continue
		}
		if p := jobProgress(job, l.since); p.final {
			l.found = append(l.found, "job "+job.Metadata.Name+": "+p.waiting)
		}
		l.add("Job", job.Metadata, nil) // if it has no pods, its events say why
		pods, err := l.podsBy(ctx, job)
		if err != nil {
			return nil, fmt.Errorf("cannot list the pods of Job %s: %w", job.Metadata.Name, err)
		}
		for _, p := range pods[job.Metadata.UID] {
			l.pod(p, "")
		}
	}
	return l.podsOfRelease(ctx, namespace, release, func(p pod) bool {
		return p.isHook() && !p.Metadata.CreationTimestamp.Before(l.since)
	})
}

func (p pod) isHook() bool {
	_, annotated := p.Metadata.Annotations["helm.sh/hook"]
	return annotated || p.Metadata.controller().Kind == "Job"
}

func (l *inspection) podsOfRelease(ctx context.Context, namespace, release string, include func(pod) bool) ([]string, error) {
	pods, err := list[pod](ctx, l.Client, request{path: labelled(collection(core, namespace, "pods"), instance+release)})
	if err != nil {
		return nil, fmt.Errorf("cannot list the pods of release %s: %w", release, err)
	}
	for _, p := range pods {
		if include(p) {
			l.pod(p, "")
		}
	}
	if err := l.events(ctx); err != nil {
		return nil, err
	}
	return findings(l.found), nil
}
