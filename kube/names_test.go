package kube

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesAreThoseOfObjectsContainersAndImages(t *testing.T) {
	got, err := Names([]byte(`
kind: Deployment
metadata: {name: web, annotations: {name: a}}
spec: {template: {spec: {initContainers: [{name: init, image: demo/init:1}], containers: [{name: app, image: demo/app:1, env: [{name: b, value: c}]}]}}}
---
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
---
kind: List
items:
- {kind: CronJob, metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: job}]}}}}}}
- {kind: Secret, metadata: {name: keys}, stringData: {name: d, image: e}}
- {kind: Pod, metadata: &m {name: pod}, spec: {containers: [&c {name: one, image: *m}, *c]}}
`))
	want := []string{"web", "init", "demo/init:1", "app", "demo/app:1", "hook", "nightly", "job", "keys", "pod", "one", "one"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNamesOfACircleEnd(t *testing.T) {
	if got, err := Names([]byte("&a {items: [*a], metadata: {name: x}}")); err != nil || !slices.Equal(got, []string{"x"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOfTooManyNamesTheFirstAreTaken(t *testing.T) {
	manifest := "metadata: {name: web}\n---\nspec: {containers: [{image: " + strings.Repeat("x", maxNames) + "}]}"
	if got, err := Names([]byte(manifest)); err != nil || !slices.Equal(got, []string{"web"}) {
		t.Errorf("got %d names, %v", len(got), err)
	}
}
