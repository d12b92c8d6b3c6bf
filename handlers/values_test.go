package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"octo-operator/dev/fixtures"
	"octo-operator/exec"
	"octo-operator/handlers/release"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// everyLayer has a value of each layer, overrides of each kind, and a chart with a schema. What is planted must be seen nowhere.
func everyLayer(t *testing.T) (merge.Input, *exec.Redactor) {
	t.Helper()
	settings := fixtures.Settings(t, fixtures.EverySetting+"\nOPERATOR__ROOTCACERTIFICATE=-----BEGIN CERTIFICATE-----")
	w := hub.WorkloadDeployed{
		Workload:   hub.Workload{Pool: hub.Pool{TenantID: "acme"}, WorkloadRtID: "65d5c447b420da3fb12381bc"},
		Hibernated: true, ReceivesClusterSecrets: true,
		ValuesYaml: "image: {tag: '1.9'}\nreplicaCount: 3\ningress: {enabled: false, annotations: {a.b/c: 'yes'}}\n" +
			"hosts: [a.example, b.example]\nsecrets: {apiKey: planted-before, other: open}\nurl: https://user:planted-key@example\n" +
			"a: {very: {long: {path: {that: {is: {too: {wide: {for: {the: table}}}}}}}}}\nodd: \"\\e[2J\\u202E\"\nremoved: null\n",
		Values: []hub.Value{
			{Path: "image.tag", Value: "1.10"}, {Path: "port", Value: "9090"}, {Path: "ingress.enabled", Value: "True"}, {Path: "debug", Value: "maybe"},
			{Path: "secrets.apiKey", Value: "planted-key", IsSecret: true}, {Path: "hosts", Value: `["c.example", "d.example"]`}, {Path: "hosts[1]", Value: "e.example"},
			{Path: "text", Value: strings.Repeat("long ", 100)},
		},
	}
	c := charts.Chart{
		Values: []byte("replicaCount: 1\nport: 8080\nimage: {tag: latest, pullPolicy: Always}\nremoved: {all: of, this: 1}\nsecrets: {apiKey: planted-default, rabbitmq: ''}\nreportingServiceUri: []\n"),
		Schema: []byte(`{"properties":{"debug":{"type":"boolean"},"dash0":false}}`),
	}
	return release.Layers(settings, w, names.Release{Name: "acme-shop"}, c), exec.NewRedactor(release.Secrets(settings, w)...)
}

func explainedAs(t *testing.T, path string) (asText string, asJSON []byte) {
	t.Helper()
	layers, secrets := everyLayer(t)
	e, err := explain(layers, path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := e.print(&out, path != ""); err != nil {
		t.Fatal(err)
	}
	if asJSON, err = json.MarshalIndent(e, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String(), append(asJSON, '\n')
}

func TestExplainSaysOfEachValueWhereItComesFromWhatItReplacedAndWhatWasLeftOut(t *testing.T) {
	asText, asJSON := explainedAs(t, "")
	fixtures.Golden(t, "explained.txt", []byte(asText))
	fixtures.Golden(t, "explained.json", asJSON)
	values, _, _ := strings.Cut(asText, "\nleft out") // where reasons are not cut
	for line := range strings.Lines(values) {
		if utf8.RuneCountInString(line) > lineWidth+1 {
			t.Errorf("wider than %d columns: %s", lineWidth, line)
		}
		if strings.ContainsAny(line, "\x1b\u202e") {
			t.Errorf("it moves a terminal's cursor: %q", line)
		}
	}
	for _, told := range []string{asText, string(asJSON)} {
		for _, secret := range append([]string{"planted-"}, "broker-secret", "mongo-user-secret") {
			if strings.Contains(told, secret) {
				t.Errorf("it tells %s:\n%s", secret, told)
			}
		}
	}
}

func TestOnePathIsExplainedAloneAndWhole(t *testing.T) {
	var all strings.Builder
	for _, path := range []string{"image", "hosts[1]", "secrets.apiKey", "text", "reportingServiceUri", "removed"} {
		asText, _ := explainedAs(t, path)
		fmt.Fprintf(&all, "$ octo-operator values --path '%s'\n%s\n", path, asText)
	}
	fixtures.Golden(t, "explained-paths.txt", []byte(all.String()))
	layers, secrets := everyLayer(t)
	if _, err := explain(layers, "nothing.here", secrets); !errors.Is(err, merge.ErrNothingThere) {
		t.Errorf("got %v", err)
	}
}
