package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/kube"
	"octo-operator/names"
)

func TestAnObjectIsTheSameInAnotherVersionOfItsAPI(t *testing.T) {
	declare := func(manifest string) []kube.Declared {
		all, err := kube.Declare([]byte(manifest), "octo")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := declare("{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: a, namespace: other}}\n")
	now := declare("{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: new}}\n")
	var got []string
	for _, i := range itemsOf(now, before) {
		state := "stays"
		switch {
		case i.now == nil:
			state = "goes"
		case i.before == nil:
			state = "comes"
		}
		got = append(got, i.Namespace+" "+i.String()+" "+state)
	}
	if diff := cmp.Diff([]string{"octo CronJob a stays", "octo Service a stays", "octo Service new comes", "other Service a goes"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnObjectIsTakenIntoTheReleaseIfHelmWouldTakeIt(t *testing.T) {
	d := &Deployment{Release: names.Release{Name: "web", Namespace: "octo"}}
	object := func(owner, namespace, manager string) map[string]any {
		metadata := map[string]any{}
		for _, set := range [][3]string{
			{"annotations", "meta.helm.sh/release-name", owner}, {"annotations", "meta.helm.sh/release-namespace", namespace}, {"labels", "app.kubernetes.io/managed-by", manager},
		} {
			if set[2] != "" {
				child(metadata, set[0])[set[1]] = set[2]
			}
		}
		return map[string]any{"metadata": metadata}
	}
	for _, test := range []struct {
		name   string
		live   map[string]any
		before *kube.Declared
		want   string // in the reason; "": helm takes it
	}{
		{"its own", object("web", "octo", "Helm"), nil, ""},
		{"nobody's, and in the revision before", object("", "", ""), &kube.Declared{}, ""},
		{"nobody's", object("", "", ""), nil, "is no release's"},
		{"half marked", object("web", "", "Helm"), nil, "is no release's"},
		{"without the label", object("web", "octo", ""), nil, "set app.kubernetes.io/managed-by=Helm"},
		{"with another tool's label", object("web", "octo", "kustomize"), nil, "set app.kubernetes.io/managed-by=Helm"},
		{"another's", object("shop", "octo", "Helm"), nil, "is release shop's in namespace octo"},
	} {
		i := &item{Object: kube.Object{Kind: "Service", Name: "web"}, now: &kube.Declared{}, before: test.before}
		if got := d.foreign(i, test.live); test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
