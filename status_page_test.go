package main

import (
	"slices"
	"testing"

	"octo-operator/handlers"
	"octo-operator/kube"
	"octo-operator/merge"
	"octo-operator/page"
)

func TestTheStatusPageSaysOfAValueWhatItReplacedAndHowItGotItsType(t *testing.T) {
	for name, test := range map[string]struct {
		value handlers.RunValue
		want  []string
	}{
		"nothing to say": {handlers.RunValue{Origin: merge.Origin{Value: "x"}}, nil},
		"all of it": {handlers.RunValue{Today: false, Origin: merge.Origin{
			Coerced:  &merge.Coercion{Text: "8080", To: "integer", Because: "the chart has an integer there"},
			Replaced: []merge.Replaced{{Layer: "valuesYaml", Value: 80}, {Layer: "chart", Masked: true}},
		}}, []string{`from the text "8080": the chart has an integer there`, "instead of 80 from valuesYaml",
			"instead of something masked, because a secret was set here from chart", "with the settings of today it would be false"}},
		"no number": {handlers.RunValue{Origin: merge.Origin{Coerced: &merge.Coercion{Text: "x", To: "integer", Because: "the chart has an integer there", Failed: true}}},
			[]string{"stays text, as no integer: the chart has an integer there"}},
	} {
		if got := notesOn(test.value); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheStatusPageWarnsOfAValueThatTheChartDoesNotKnow(t *testing.T) {
	for unknown, want := range map[string]string{"": "", "imgae": "the chart knows no imgae: is it misspelled?"} {
		if got := warningOf(handlers.RunValue{Origin: merge.Origin{Path: "imgae.tag", Unknown: unknown}}); got != want {
			t.Errorf("%q: %q", unknown, got)
		}
	}
}

func TestTheStatusPageShowsAPoolThatIsBeingDeleted(t *testing.T) {
	pool := kube.Pool{PoolKind: kube.CommunicationPool, Namespace: "octo", Name: "acme-main", TenantID: "acme", PoolName: "main", Status: "Registered"}
	if got, want := poolOf(pool), (page.Pool{Tenant: "acme", ID: "main", Status: "Registered", Object: "CommunicationPool octo/acme-main"}); got != want {
		t.Errorf("got %+v", got)
	}
	if pool.Deleting = true; poolOf(pool).Status != "Being deleted" {
		t.Errorf("got %+v", poolOf(pool))
	}
}
