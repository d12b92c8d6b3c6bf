package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forged are ways in which an event may try to change the workload's tenant or id.
var forged = map[string]Input{
	"nothing":                 {},
	"another text":            {Values: []byte("tenantId: victim\nadapterRtId: theirs\n")},
	"null":                    {Values: []byte("tenantId: null\nadapterRtId:\n")},
	"a map":                   {Values: []byte("tenantId: {a: b}\nadapterRtId: {}\n")},
	"a list":                  {Values: []byte("tenantId: [victim]\nadapterRtId: []\n")},
	"a key twice, by merge":   {Values: []byte("x: &x {tenantId: victim}\n<<: *x\n")},
	"an override":             {Overrides: []Override{{Path: "tenantId", Value: "victim"}, {Path: "adapterRtId", Value: ""}}},
	"an override into it":     {Overrides: []Override{{Path: "tenantId.a", Value: "victim"}, {Path: "adapterRtId[0]", Value: "x"}}},
	"a path with a backslash": {Overrides: []Override{{Path: `tenant\Id`, Value: "victim"}}},
	"a secret":                {Overrides: []Override{{Path: "tenantId", Value: "planted", Secret: true}, {Path: "adapterRtId.a", Value: "planted", Secret: true}}},
	"null and an override":    {Values: []byte("tenantId: null"), Overrides: []Override{{Path: "tenantId.a.b", Value: "victim"}}},
}

func TestNoEventSaysWhoseItsWorkloadIs(t *testing.T) {
	for name, in := range forged {
		t.Run(name, func(t *testing.T) {
			in.Context = map[string]any{"tenantId": "acme", "adapterRtId": "65d5c447b420da3fb12381bd", "authUri": "https://auth.example"}
			in.Identity, in.SecretName = []string{"tenantId", "adapterRtId"}, "rel-octo-secrets"
			got, err := Document(in)
			if err != nil {
				t.Fatal(err)
			}
			if got.Values["tenantId"] != "acme" || got.Values["adapterRtId"] != "65d5c447b420da3fb12381bd" || len(got.LeftOut) > 0 || len(got.Secrets) > 0 {
				t.Errorf("got %s, left out %v, secrets %v", got.YAML, got.LeftOut, got.Secrets)
			}
			origins, _, err := Explain(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range origins {
				if o.Layer != layerContext && o.Path != "x.tenantId" {
					t.Errorf("%s comes from %s", o.Path, o.Layer)
				}
			}
		})
	}
}

// A key that the chart does not accept is left out, also the event's own value: a chart whose schema allows only another tenant gets no tenant.
func TestAChartThatDoesNotTakeTheIdentityGetsNoOther(t *testing.T) {
	for name, chart := range map[string]Input{
		"a closed schema": {ChartSchema: []byte(`{"properties":{"colour":{}},"additionalProperties":false}`)},
		"another type":    {ChartSchema: []byte(`{"properties":{"tenantId":{"type":"object"},"adapterRtId":false}}`)},
		"a map":           {ChartValues: []byte("tenantId: {a: b}\nadapterRtId: {}\n")},
		"a list":          {ChartValues: []byte("tenantId: []\nadapterRtId: [x]\n")},
	} {
		for how, event := range forged {
			t.Run(name+", "+how, func(t *testing.T) {
				event.ChartSchema, event.ChartValues = chart.ChartSchema, chart.ChartValues
				event.Context = map[string]any{"tenantId": "acme", "adapterRtId": "65d5c447b420da3fb12381bd"}
				event.Identity, event.SecretName = []string{"tenantId", "adapterRtId"}, "rel-octo-secrets"
				got, err := Document(event)
				if err != nil {
					t.Fatal(err)
				}
				delete(got.Values, "x")
				if diff := cmp.Diff(map[string]any{}, got.Values); diff != "" {
					t.Errorf("the document (-want +got):\n%s", diff)
				}
				var left []string
				for _, l := range got.LeftOut {
					left = append(left, l.Path)
				}
				if strings.Join(left, " ") != "adapterRtId tenantId" {
					t.Errorf("left out %v", got.LeftOut)
				}
				_, explained, err := Explain(event)
				if diff := cmp.Diff(got.LeftOut, explained); err != nil || diff != "" {
					t.Errorf("Explain says something else: %v\n%s", err, diff)
				}
			})
		}
	}
}

// In G1 an event may have no id: then the operator sets none.
func TestAnIdentityThatIsNotKnownIsTheEvents(t *testing.T) {
	got, err := Document(Input{
		Context: map[string]any{"tenantId": "acme"}, Identity: []string{"tenantId", "adapterRtId"}, Values: []byte("adapterRtId: mine"),
	})
	if diff := cmp.Diff(map[string]any{"tenantId": "acme", "adapterRtId": "mine"}, got.Values); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
