package helmoracle

import (
	"slices"
	"testing"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"octo-operator/kube"
)

// TestHooksAreToldFromObjectsAsHelmTellsThem uses manifests in which a hook's annotation, the kind or the name are merged with <<, or occur twice.
func TestHooksAreToldFromObjectsAsHelmTellsThem(t *testing.T) {
	for _, manifest := range []string{
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}, annotations: {a: b}}",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {a: b}, annotations: {helm.sh/hook: pre-install}}",
		"apiVersion: batch/v1\nkind: Job\nmetadata: &m {name: b, annotations: &h {helm.sh/hook: pre-install}}\nmetadata: {<<: *m, name: a}",
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {<<: [{a: b}, {helm.sh/hook: post-upgrade}]}}",
		"x: &x {kind: Job, metadata: {name: b}}\napiVersion: batch/v1\n<<: *x\nmetadata: {name: a}",
		"apiVersion: batch/v1\nkind: Job\nkind: Pod\nmetadata: {name: b, name: a}",
		"apiVersion: batch/v1\nmetadata: {name: a}\nkind: Pod\n<<: [{kind: Job}, {kind: Secret}]",
	} {
		helmsHooks, helmsObjects, err := releaseutil.SortManifests(map[string]string{"app/templates/a.yaml": manifest}, nil, releaseutil.InstallOrder)
		if err != nil {
			t.Fatalf("%v\n%s", err, manifest)
		}
		var want, got []string
		for _, h := range helmsHooks {
			want = append(want, "hook "+h.Kind+" "+h.Name)
		}
		for _, o := range helmsObjects {
			want = append(want, o.Head.Kind+" "+o.Head.Metadata.Name)
		}
		hooks, err := kube.Hooks([]byte(manifest), "octo")
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hooks {
			got = append(got, "hook "+h.Kind+" "+h.Name)
		}
		objects, err := kube.Objects([]byte(manifest), "octo")
		if err != nil {
			t.Errorf("%v\n%s", err, manifest)
		}
		for _, o := range objects {
			got = append(got, o.Kind+" "+o.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, helm has %q of\n%s", got, want, manifest)
		}
	}
}
