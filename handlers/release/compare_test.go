package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/kube"
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
