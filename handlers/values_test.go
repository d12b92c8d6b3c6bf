package handlers

import (
	"strings"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/names"
)

func TestExplainSaysWhatTheChartDoesNotTakeAndWhy(t *testing.T) {
	settings := fixtures.Settings(t, "OPERATOR__BROKERPASSWORD=planted")
	w := hub.WorkloadDeployed{Workload: hub.Workload{Pool: hub.Pool{TenantID: "acme"}}, ValuesYaml: "kept: true", Hibernated: true}
	c := charts.Chart{
		Values: []byte("secrets: []\nreplicaCount: 1\nkept: false\n"),
		Schema: []byte(`{"properties":{"kept":{},"secrets":{},"replicaCount":{}},"additionalProperties":false}`),
	}
	var printed strings.Builder
	if err := printOrigins(&printed, release.Layers(settings, w, names.Release{Name: "demo"}, c)); err != nil {
		t.Fatal(err)
	}
	want := "kept\tvaluesYaml\n" +
		"replicaCount\tpinned\n" +
		"tenantId\tcontext, left out: the chart's schema does not allow it\n" +
		"secrets.rabbitmq\tinjected, left out: the chart's default values have a list at \"secrets\"\n"
	if printed.String() != want {
		t.Errorf("got\n%s\nwant\n%s", printed.String(), want)
	}
}
