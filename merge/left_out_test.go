package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// operatorsOwn is a small version of what the operator adds to every workload.
func operatorsOwn() Input {
	return Input{
		Context: map[string]any{
			"tenantId": "acme", "additionalValidIssuers": []string{"https://a.example"},
			"image":   map[string]any{"privateRegistry": "registry.example"},
			"ingress": map[string]any{"className": "nginx", "tls": true, "annotations": map[string]any{"example.com/size": "8m"}},
		},
		Injected:   []Override{{Path: "secrets.rabbitmq", Value: "planted", Secret: true}, {Path: "secrets.rootCa", Value: "PEM"}},
		Pinned:     []Override{{Path: "replicaCount", Value: "3"}},
		SecretName: "rel-octo-secrets",
	}
}

const (
	secretsLine  = "secrets: {rabbitmq: {valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: secrets.rabbitmq}}}, rootCa: PEM}\n"
	ingressLine  = "ingress: {className: nginx, tls: true, annotations: {example.com/size: 8m}}\n"
	imageLine    = "image: {privateRegistry: registry.example}\n"
	issuersLine  = "additionalValidIssuers: [https://a.example]\n"
	tenantLine   = "tenantId: acme\n"
	replicasLine = "replicaCount: '3'\n"
	everyLine    = secretsLine + ingressLine + imageLine + issuersLine + tenantLine + replicasLine
)

func without(lines ...string) string {
	rest := everyLine
	for _, line := range lines {
		rest = strings.Replace(rest, line, "", 1)
	}
	return rest
}

const everyPath = "additionalValidIssuers image.privateRegistry ingress.annotations.example\\.com/size ingress.className ingress.tls tenantId secrets.rabbitmq secrets.rootCa replicaCount"

var charts = map[string]struct {
	values, schema string
	want           string // the document
	leftOut        string // paths, in the order of the layers
}{
	"a chart that says nothing":       {"", "", everyLine, ""},
	"a chart with defaults like ours": {"tenantId: ''\nsecrets: {rabbitmq: '', rootCa: ''}\nimage: {privateRegistry: ''}\ningress: {tls: false, annotations: {}}\nreplicaCount: 1\n", "", without(replicasLine) + "replicaCount: 3\n", ""},
	"a chart with an open schema":     {"", `{"type":"object","properties":{"tenantId":{"type":"string"},"secrets":{"type":"object"}}}`, everyLine, ""},
	"null in the chart":               {"secrets:\nimage:\nreplicaCount:\ningress: {tls: }\n", "", everyLine, ""},

	"traefik: a closed schema":                {"deployment: {replicas: 1}", `{"properties":{"deployment":{},"image":{"properties":{"tag":{}},"additionalProperties":false}},"additionalProperties":false}`, "", everyPath},
	"node exporter: a list":                   {"secrets: []\nreplicaCount: 1", "", without(secretsLine, replicasLine) + "replicaCount: 3\n", "secrets.rabbitmq secrets.rootCa"},
	"a list that is not empty":                {"secrets: [a]", "", without(secretsLine), "secrets.rabbitmq secrets.rootCa"},
	"a text where a map would be":             {"image: nginx:1", "", without(imageLine), "image.privateRegistry"},
	"a map where a text would be":             {"tenantId: {id: x}", "", without(tenantLine), "tenantId"},
	"a list where a truth value would be":     {"ingress: {tls: []}", "", strings.Replace(everyLine, "tls: true, ", "", 1), "ingress.tls"},
	"a text where a list would be":            {"additionalValidIssuers: ''", "", without(issuersLine), "additionalValidIssuers"},
	"a map where a secret would be":           {"secrets: {rabbitmq: {value: ''}}", "", everyLine, ""},
	"a list where a secret would be":          {"secrets: {rabbitmq: []}", "", strings.Replace(everyLine, "rabbitmq: {valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: secrets.rabbitmq}}}, ", "", 1), "secrets.rabbitmq"},
	"a map where the count would be":          {"replicaCount: {min: 1}", "", without(replicasLine), "replicaCount"},
	"one value of a section":                  {"", `{"properties":{"ingress":{"properties":{"className":{},"annotations":{}},"additionalProperties":false}}}`, strings.Replace(everyLine, "tls: true, ", "", 1), "ingress.tls"},
	"a section that is left without values":   {"", `{"properties":{"image":{"additionalProperties":false},"ingress":{"properties":{"tls":{}},"additionalProperties":false}}}`, without(imageLine, ingressLine) + "ingress: {tls: true}\n", "image.privateRegistry ingress.annotations.example\\.com/size ingress.className"},
	"closed below a secret":                   {"", `{"properties":{"secrets":{"properties":{"rabbitmq":{"properties":{"value":{}},"additionalProperties":false}}}}}`, strings.Replace(everyLine, "rabbitmq: {valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: secrets.rabbitmq}}}, ", "", 1), "secrets.rabbitmq"},
	"a property that is false":                {"", `{"properties":{"tenantId":false,"secrets":false}}`, without(tenantLine, secretsLine), "tenantId secrets.rabbitmq secrets.rootCa"},
	"another type":                            {"", `{"properties":{"tenantId":{"type":"integer"},"secrets":{"type":["array","null"]},"replicaCount":{"type":"integer"},"ingress":{"properties":{"tls":{"type":"array"}}}}}`, without(tenantLine, secretsLine, ingressLine, replicasLine) + "ingress: {className: nginx, annotations: {example.com/size: 8m}}\nreplicaCount: 3\n", "ingress.tls tenantId secrets.rabbitmq secrets.rootCa"},
	"one of the types":                        {"", `{"properties":{"tenantId":{"type":["null","string"]},"replicaCount":{"type":["integer","string"]},"additionalValidIssuers":{"type":"array"}}}`, everyLine, ""},
	"a reference":                             {"", `{"$ref":"#/$defs/all","$defs":{"all":{"properties":{"tenantId":{"$ref":"#/%24defs/no"}}},"no":false}}`, without(tenantLine), "tenantId"},
	"a reference, and what stands beside it":  {"", `{"$ref":"#/$defs/all","properties":{"image":false},"$defs":{"all":{"properties":{"tenantId":false}}}}`, without(tenantLine, imageLine), "image.privateRegistry tenantId"},
	"before 2019 a reference stood alone":     {"", `{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/all","properties":{"image":false},"definitions":{"all":{"properties":{"tenantId":false}}}}`, without(tenantLine), "tenantId"},
	"a reference to itself":                   {"", `{"$ref":"#","allOf":[{"$ref":"#"},{"properties":{"tenantId":false}}],"anyOf":[{"$ref":"#"},{}]}`, without(tenantLine), "tenantId"},
	"a reference to another file":             {"", `{"properties":{"tenantId":{"$ref":"other.json"}},"anyOf":[{"$ref":"https://example.com/x"}]}`, everyLine, ""},
	"all of":                                  {"", `{"allOf":[{},{"properties":{"secrets":{"allOf":[{"additionalProperties":false,"properties":{"rootCa":{}}}]}}}]}`, strings.Replace(everyLine, "rabbitmq: {valueFrom: {secretKeyRef: {name: rel-octo-secrets, key: secrets.rabbitmq}}}, ", "", 1), "secrets.rabbitmq"},
	"all of, each closed for itself":          {"", `{"allOf":[{"properties":{"image":{"additionalProperties":false}}},{"properties":{"image":{"properties":{"privateRegistry":{}}}}}]}`, without(imageLine), "image.privateRegistry"},
	"any of, one takes it":                    {"", `{"anyOf":[{"properties":{"tenantId":false}},{"required":["tenantId"]}]}`, everyLine, ""},
	"any of, none takes it":                   {"", `{"anyOf":[{"properties":{"tenantId":false}},{"properties":{"tenantId":{"type":"null"}}}]}`, without(tenantLine), "tenantId"},
	"one of, one takes it":                    {"", `{"properties":{"image":{"oneOf":[{"type":"string"},{"type":"object"}]}}}`, everyLine, ""},
	"one of, none takes it":                   {"", `{"properties":{"image":{"oneOf":[{"type":"string"},{"type":"object","additionalProperties":false,"properties":{"tag":{}}}]}}}`, without(imageLine), "image.privateRegistry"},
	"a pattern that matches":                  {"", `{"patternProperties":{"^.*$":{}},"additionalProperties":false}`, everyLine, ""},
	"a pattern that does not match":           {"", `{"patternProperties":{"^(image|ingress|secrets|replica.*)$":{}},"properties":{"additionalValidIssuers":{}},"additionalProperties":false}`, without(tenantLine), "tenantId"},
	"a pattern that forbids":                  {"", `{"patternProperties":{"^(tenant|adapter)":false}}`, without(tenantLine), "tenantId"},
	"a pattern that Go does not know":         {"", `{"patternProperties":{"^(?!x)":{}},"additionalProperties":false}`, everyLine, ""},
	"additional properties of a type":         {"", `{"properties":{"ingress":{"properties":{"annotations":{"additionalProperties":{"type":"integer"}}}}}}`, strings.Replace(everyLine, ", annotations: {example.com/size: 8m}", "", 1), "ingress.annotations.example\\.com/size"},
	"unevaluated properties":                  {"", `{"properties":{"image":{"properties":{"tag":{}},"unevaluatedProperties":false}}}`, without(imageLine), "image.privateRegistry"},
	"evaluated elsewhere in the same place":   {"", `{"properties":{"image":{"allOf":[{"anyOf":[{"$ref":"#/$defs/registry"}]}],"unevaluatedProperties":false}},"$defs":{"registry":{"properties":{"privateRegistry":{}}}}}`, everyLine, ""},
	"evaluated under a condition":             {"", `{"properties":{"image":{"if":{"required":["x"]},"then":{"patternProperties":{"^private":{}}},"unevaluatedProperties":false}}}`, everyLine, ""},
	"not evaluated elsewhere":                 {"", `{"properties":{"image":{"allOf":[{"properties":{"tag":{}}}],"if":true,"unevaluatedProperties":false}}}`, without(imageLine), "image.privateRegistry"},
	"before 2019 nothing was unevaluated":     {"", `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"image":{"unevaluatedProperties":false}}}`, everyLine, ""},
	"what is not understood forbids nothing":  {"", `{"not":{"required":["tenantId"]},"propertyNames":{"maxLength":3},"if":{},"then":false}`, everyLine, ""},
	"what the values say, the schema decides": {"secrets: {rabbitmq: ''}", `{"additionalProperties":false}`, "", everyPath},
}

func TestOfWhatTheOperatorAddsTheChartGetsWhatItTakes(t *testing.T) {
	for name, test := range charts {
		t.Run(name, func(t *testing.T) {
			in := operatorsOwn()
			in.ChartValues, in.ChartSchema = []byte(test.values), []byte(test.schema)
			got, err := Document(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, test.want), got.Values); diff != "" {
				t.Errorf("the document (-want +got):\n%s", diff)
			}
			var paths []string
			for _, l := range got.LeftOut {
				paths = append(paths, l.Path)
			}
			if diff := cmp.Diff(strings.Fields(test.leftOut), paths); diff != "" && test.leftOut+strings.Join(paths, "") != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			_, hasSecret := got.Secrets["secrets.rabbitmq"]
			if refers := strings.Contains(string(got.YAML), "secretKeyRef"); hasSecret != refers {
				t.Errorf("the Secret has the key: %v, the document refers to it: %v", hasSecret, refers)
			}
			_, explained, err := Explain(in)
			if diff := cmp.Diff(got.LeftOut, explained); err != nil || diff != "" {
				t.Errorf("Explain says something else: %v\n%s", err, diff)
			}
		})
	}
}

// The schema forbids everything, and the chart has other kinds of values everywhere. Still the event's values stay, and helm decides.
func TestWhatTheEventAsksForIsNeverLeftOut(t *testing.T) {
	in := Input{
		Values:      []byte("tenantId: mine\nimage: {privateRegistry: mine}\nsecrets: {rabbitmq: mine}\n"),
		Overrides:   []Override{{Path: "secrets.apiKey", Value: "planted", Secret: true}, {Path: "replicaCount", Value: "5"}},
		SecretName:  "rel-octo-secrets",
		ChartValues: []byte("tenantId: []\nimage: text\nsecrets: []\nreplicaCount: {}\n"),
		ChartSchema: []byte(`{"additionalProperties":false}`),
	}
	want, err := Document(in)
	if err != nil || len(want.LeftOut) > 0 || want.Secrets["secrets.apiKey"] != "planted" {
		t.Fatalf("left out %v, secrets %v, %v", want.LeftOut, want.Secrets, err)
	}
	own := operatorsOwn()
	in.Context, in.Injected, in.Pinned = own.Context, own.Injected, own.Pinned
	got, err := Document(in)
	if diff := cmp.Diff(string(want.YAML), string(got.YAML)); err != nil || diff != "" {
		t.Errorf("with what the operator adds (-without +with): %v\n%s", err, diff)
	}
}

func TestTheReasonNamesWhoHasWhatWhere(t *testing.T) {
	in := operatorsOwn()
	in.Values = []byte("secrets: [{name: mine}]\n")
	in.ChartValues = []byte("ingress: {tls: []}\nimage: nginx\ntenantId: {}\n")
	in.ChartSchema = []byte(`{"properties":{"replicaCount":false}}`)
	got, err := Document(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []LeftOut{
		{"image.privateRegistry", layerContext, `the chart's default values have a single value at "image"`},
		{"ingress.tls", layerContext, `the chart's default values have a list at "ingress.tls"`},
		{"tenantId", layerContext, `the chart's default values have a map at "tenantId"`},
		{"secrets.rabbitmq", layerInjected, `the event's values have a list at "secrets"`},
		{"secrets.rootCa", layerInjected, `the event's values have a list at "secrets"`},
		{"replicaCount", layerPinned, "the chart's schema does not allow it"},
	}
	if diff := cmp.Diff(want, got.LeftOut); diff != "" {
		t.Error(diff)
	}
}

// Decisive is the value that helm would have without the operator.
func TestTheEventsValuesHideTheChartsDefaults(t *testing.T) {
	for name, test := range map[string]struct{ event, chart, leftOut string }{
		"a map over a list":           {"secrets: {x: 1}", "secrets: []", ""},
		"null over a list":            {"secrets: null", "secrets: []", ""},
		"a list over a map":           {"secrets: []", "secrets: {rabbitmq: ''}", "secrets.rabbitmq"},
		"a map beside the default":    {"secrets: {x: 1}", "secrets: {rabbitmq: []}", "secrets.rabbitmq"},
		"a list in the default's map": {"secrets: {rabbitmq: []}", "secrets: {rabbitmq: ''}", "secrets.rabbitmq"},
		"a text in the default's map": {"secrets: {rabbitmq: x}", "secrets: {rabbitmq: []}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{
				Values: []byte(test.event), ChartValues: []byte(test.chart), SecretName: "s",
				Injected: []Override{{Path: "secrets.rabbitmq", Value: "x", Secret: true}},
			})
			var paths string
			for _, l := range got.LeftOut {
				paths += l.Path
			}
			if err != nil || paths != test.leftOut {
				t.Errorf("left out %q, %v", paths, err)
			}
		})
	}
}

func TestThePinnedLayerIsAboveTheEvents(t *testing.T) {
	in := Input{
		ChartValues: []byte("replicaCount: 1"), Values: []byte("replicaCount: 2"),
		Overrides: []Override{{Path: "replicaCount", Value: "3"}}, Pinned: []Override{{Path: "replicaCount", Value: "0"}},
	}
	got, err := Document(in)
	if err != nil || string(got.YAML) != "replicaCount: 0\n" {
		t.Errorf("%s, %v", got.YAML, err)
	}
	origins, _, err := Explain(in)
	if err != nil || len(origins) != 1 || origins[0].Layer != layerPinned {
		t.Errorf("%v, %v", origins, err)
	}
}

func TestAValueForChartsThatKnowItAloneIsSetInNoOther(t *testing.T) {
	for name, test := range map[string]struct {
		values string
		set    bool
	}{
		"the chart knows it":           {"secrets: {token: ''}", true},
		"the chart knows it, as null":  {"secrets: {token: }", true},
		"the chart knows its parent":   {"secrets: {other: ''}", false},
		"the chart knows nothing":      {"", false},
		"the chart has a list instead": {"secrets: [token]", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Document(Input{
				Injected:    []Override{{Path: "secrets.token", Value: "planted", Secret: true, Declared: true}},
				ChartValues: []byte(test.values), SecretName: "rel-octo-secrets",
			})
			if err != nil {
				t.Fatal(err)
			}
			if set := len(got.Secrets) == 1; set != test.set || set != (len(got.Values) == 1) {
				t.Errorf("set: %v, in the document: %s", set, got.YAML)
			}
			if len(got.LeftOut) > 0 {
				t.Errorf("told as left out: %v", got.LeftOut)
			}
		})
	}
}
