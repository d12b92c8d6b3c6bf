package changes

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
	"octo-operator/dev/fixtures"
)

// object parses an object from YAML; "" gives nil.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: octo
  uid: 1-2
  generation: 3
  resourceVersion: "77"
  creationTimestamp: "2026-01-01T00:00:00Z"
  annotations:
    meta.helm.sh/release-name: web
    meta.helm.sh/release-namespace: octo
    kubectl.kubernetes.io/last-applied-configuration: '{"planted":"secret"}'
  labels: {helm.sh/chart: web-1.2.0}
  managedFields: [{manager: helm}]
spec:
  replicas: 1
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: registry.example:5000/demo/web:1.2
          env:
            - {name: COLOUR, value: red}
          resources: {limits: {memory: 30000000}}
status: {replicas: 1}
`

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: octo, generation: 1}
data:
  colour: red
  page: |
    one
    two
    three
    four
    five
`

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: web, namespace: octo}
data:
  kept: cGxhbnRlZC1rZXB0
  password: cGxhbnRlZC1vbGQ=
`

// annotated is a Secret with an annotation that contains a copy of a value, as some tools create it.
func annotated(secret, value string) string {
	return strings.Replace(secret, "namespace: octo}", `namespace: octo, annotations: {helm.sh/resource-policy: keep, tool/applied: '{"data":{"password":"`+value+`"}}'}}`, 1)
}

var cases = []struct {
	name, kind, live, made string
}{
	{"nothing", "Deployment", deployment, strings.NewReplacer("generation: 3", "generation: 4", `"77"`, `"78"`, "status: {replicas: 1}", "").Replace(deployment)},
	{"image", "Deployment", deployment, strings.Replace(deployment, "web:1.2", "web:1.3", 1)},
	{"image of another repository and a field", "Deployment", deployment,
		strings.NewReplacer("registry.example:5000/demo/web:1.2", "other/web@sha256:12", "value: red", "value: blue").Replace(deployment)},
	{"replicas and labels", "Deployment", deployment, strings.NewReplacer("replicas: 1\n  template", "replicas: 3\n  template", "web-1.2.0", "web-1.3.0").Replace(deployment)},
	{"another release", "Deployment", deployment, strings.Replace(deployment, "release-name: web", "release-name: shop", 1)},
	{"configmap", "ConfigMap", configMap, strings.NewReplacer("colour: red", "colour: blue", "three", "3").Replace(configMap)},
	{"secret", "Secret", secret, strings.Replace(secret, "cGxhbnRlZC1vbGQ=", "cGxhbnRlZC1uZXc=", 1) + "  more: cGxhbnRlZC1tb3Jl\n"},
	{"secret with a copy of itself", "Secret", annotated(secret, "cGxhbnRlZC1vbGQ="), strings.Replace(annotated(secret, "cGxhbnRlZC1uZXc="), "cGxhbnRlZC1vbGQ=", "cGxhbnRlZC1uZXc=", 1)},
	{"configmap that was empty", "ConfigMap", "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: octo}}", configMap},
	{"replicas of an autoscaler", "Deployment", deployment, strings.Replace(deployment, "  replicas: 1\n  template", "  template", 1)},
	{"new", "ConfigMap", "", configMap},
	{"new secret", "Secret", "", secret + "stringData: {plain: planted-plain}\n"},
	{"removed", "ConfigMap", configMap, ""},
	{"long lines", "ConfigMap", configMap, configMap + "  long: " + strings.Repeat("x", 5000) + "\n"},
	{"sequences of a terminal", "ConfigMap", configMap, configMap + `  "a\e[2J\u202eb": "c\e[31m\u0007d"` + "\n"},
}

// TestADiffShowsWhatAPersonNeedsAndNoSecret has a golden file for each case: the diff and its summary.
func TestADiffShowsWhatAPersonNeedsAndNoSecret(t *testing.T) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			c := Of(Object{Kind: test.kind, Namespace: "octo", Name: "web", Live: object(t, test.live), Made: object(t, test.made)}, nil)
			report := Join([]Change{c}, 0)
			if strings.Contains(report.Text, "planted") || strings.Contains(report.Text, "cGxhbnRlZC") {
				t.Errorf("a secret is in it:\n%s", report.Text)
			}
			fixtures.Golden(t, strings.ReplaceAll(test.name, " ", "-")+".diff", []byte(fmt.Sprintf("state %s, replaces pods %v\n%s", c.State, c.Pods, report.Text)))
		})
	}
}

func TestTheSummaryFitsALine(t *testing.T) {
	image := Change{Kind: "Deployment", Name: "web", State: Changed, What: []string{"image 1.2→1.3"}}
	config := Change{Kind: "ConfigMap", Name: "web", State: Changed, What: []string{"1 key"}}
	other := config
	other.Name = "other"
	many := make([]Change, 100)
	for i := range many {
		many[i] = Change{Kind: "Service", Name: fmt.Sprint("service-", i), State: New}
	}
	for want, all := range map[string][]Change{
		"2 objects changed: Deployment image 1.2→1.3, ConfigMap 1 key":  {image, config, {Kind: "Service", State: Same}},
		"2 objects changed: ConfigMap web 1 key, ConfigMap other 1 key": {config, other},
		"1 object changed: ConfigMap 1 key; 1 object new: Service; 1 object removed: Ingress; 1 object not compared: Demo": {
			{Kind: "Ingress", State: Removed}, {Kind: "Demo", State: Unknown}, config, {Kind: "Service", State: New},
		},
		"100 objects new: Service service-0, Service service-1, Service service-2, Service service-3, Service service-4, and 95 more": many,
		"nothing changed": {{Kind: "Service", State: Same}, {Kind: "ConfigMap", State: Left}},
	} {
		if got := Join(all, 0).Summary; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := Join(nil, 3); got.Summary != "3 more objects not compared: there are too many" {
		t.Error(got.Summary)
	}
	config.Kind = strings.Repeat("x", 1000)
	if got := Join([]Change{config}, 0).Summary; len(got) > longestSummary {
		t.Errorf("%d bytes", len(got))
	}
}

func TestEachObjectIsSaidOnceHoweverMuchThereIs(t *testing.T) {
	long := map[string]any{}
	for i := range 5000 {
		long[fmt.Sprintf("key-%04d", i)] = "some value"
	}
	var all []Change
	for i := range 20 {
		c := Of(Object{Kind: "ConfigMap", Name: fmt.Sprint(i), Made: map[string]any{"kind": "ConfigMap", "data": map[string]any{"a": fmt.Sprint(long)}, "more": long}}, nil)
		if len(c.Diff) > bounds.ObjectDiff+longestLine || !strings.HasSuffix(c.Diff, "more lines\n") {
			t.Fatalf("%d bytes, its end %q", len(c.Diff), c.Diff[len(c.Diff)-50:])
		}
		all = append(all, c)
	}
	all = append(all, Of(Object{Kind: "Demo", Name: "odd", Unknown: "forbidden\x1b[2J"}, nil), Of(Object{Kind: "ConfigMap", Name: "left", Stays: true}, nil))
	report := Join(all, 0)
	for _, want := range []string{"more objects, not shown", "Demo odd: not compared: forbidden\n", "ConfigMap left: no longer in the release, and kept"} {
		if !strings.Contains(report.Text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if len(report.Text) > bounds.Diff+1000 {
		t.Errorf("%d bytes", len(report.Text))
	}
	if !report.Any() || Join([]Change{{State: Same}, {State: Left}}, 0).Any() {
		t.Error("it is not told whether anything changes")
	}
}

// replaced is a Redactor that removes one secret everywhere.
type replaced struct{ secret string }

func (r replaced) Text(s string) string  { return strings.ReplaceAll(s, r.secret, "[redacted]") }
func (r replaced) Value(s string) string { return r.Text(s) }

// TestAChangedSecretShowsAsAChangeInOtherObjects: the diff shows which lines change, but not their secrets.
func TestAChangedSecretShowsAsAChangeInOtherObjects(t *testing.T) {
	live := object(t, "{apiVersion: v1, kind: pin, metadata: {name: pin, labels: {a: pin}}, data: {b: pin-1, c: \"x: 1\\ny: pin\\nz: pin-3\\n\", d: pin}, port: 1234, replicas: 1}")
	made := object(t, "{apiVersion: v1, kind: pin, metadata: {name: pin, labels: {a: pin}}, data: {b: pin-2, c: \"x: 1\\ny: pin\\nz: pin-4\\n\", d: pin}, port: 5678, replicas: 2}")
	c := Of(Object{Kind: "pin", Name: "pin", Live: live, Made: made}, hides{})
	const want = `--- pin pin (live)
+++ pin pin (after the deploy)
@@ -1,10 +1,10 @@
 apiVersion: v1
 data:
-  b: '[redacted]'
+  b: '[redacted]'
   c: |
     x: 1
     y: [redacted]
-    z: [redacted]
+    z: [redacted]
   d: '[redacted]'
 kind: pin
 metadata:
@@ -11,5 +11,5 @@
   labels:
     a: '[redacted]'
   name: pin
-port: '[redacted]'
-replicas: 1
+port: '[redacted]'
+replicas: 2
`
	if c.Diff != want {
		t.Errorf("got\n%s", c.Diff)
	}
	if got := strings.Join(c.What, ", "); got != "2 keys, 2 fields" {
		t.Errorf("it is told as %s", got)
	}
}

// hides is a Redactor that removes each pin and each number, from values only.
type hides struct{}

var pins = regexp.MustCompile("pin(-.)?|[0-9]{4}")

func (hides) Text(s string) string  { return s }
func (hides) Value(s string) string { return pins.ReplaceAllString(s, "[redacted]") }

func TestKnownSecretsAreTakenOutBeforeAnythingIsCut(t *testing.T) {
	secret := strings.Repeat("s", longestLine/2)
	redact := replaced{secret}
	line := strings.Repeat("x", longestLine-100) + secret
	made := map[string]any{"kind": "Deployment", "data": map[string]any{"a": line}, "spec": map[string]any{"replicas": secret}}
	live := map[string]any{"kind": "Deployment", "data": map[string]any{"a": "b"}, "spec": map[string]any{"replicas": "x"}}
	report := Join([]Change{
		Of(Object{Kind: "Deployment", Name: "web", Live: live, Made: made}, redact),
		Of(Object{Kind: "Demo", Name: "odd", Unknown: strings.Repeat("x", longestReason-100) + secret}, redact),
	}, 0)
	if strings.Contains(report.Text+report.Summary, "sss") {
		t.Errorf("%s", report.Text)
	}
}

func TestWhatAChartDeclaresNoLongerGoesOfAClientSideRelease(t *testing.T) {
	before := object(t, `{metadata: {labels: {a: "1", b: "2"}}, spec: {paused: true, list: [1, 2], containers: [{name: app, image: x, command: [a]}, {name: old}]}}`)
	now := object(t, `{metadata: {labels: {a: "1"}}, spec: {list: [1], containers: [{name: app, image: x}]}}`)
	made := object(t, `{metadata: {labels: {a: "1", b: "2", other: "3"}}, spec: {paused: true, list: [1], containers: [{name: app, image: x, command: [a], tty: true}, {name: old}, {name: injected}]}}`)
	Without(made, before, now)
	want := object(t, `{metadata: {labels: {a: "1", other: "3"}}, spec: {list: [1], containers: [{name: app, image: x, tty: true}, {name: injected}]}}`)
	if got := fmt.Sprint(made); got != fmt.Sprint(want) {
		t.Errorf("got  %s\nwant %v", got, want)
	}
}

func FuzzOf(f *testing.F) {
	for _, test := range cases {
		f.Add(test.kind, test.live, test.made)
	}
	f.Fuzz(func(t *testing.T, kind, liveText, madeText string) {
		read := func(text string) (o map[string]any) {
			if bounds.YAML([]byte(text)) != nil || yaml.Unmarshal([]byte(text), &o) != nil {
				t.Skip()
			}
			return o
		}
		c := Of(Object{Kind: kind, Name: "web", Live: read(liveText), Made: read(madeText)}, nil)
		report := Join([]Change{c}, 0)
		if (c.State == Same) != (c.Diff == "") && !strings.EqualFold(kind, "Secret") {
			t.Errorf("%s, and the diff is %q", c.State, c.Diff)
		}
		for _, r := range report.Text + report.Summary {
			if r < ' ' && r != '\n' || r == '\u202e' || r == '\x7f' {
				t.Errorf("%q is in it", r)
			}
		}
		if again := Of(Object{Kind: kind, Name: "web", Live: read(liveText), Made: read(madeText)}, nil); again.Diff != c.Diff {
			t.Errorf("another diff of the same:\n%s\n%s", c.Diff, again.Diff)
		}
		if !strings.EqualFold(kind, "Secret") {
			return
		}
		for _, value := range c.Secrets {
			if len(value) > 20 && !strings.Contains(fmt.Sprint(hidden, hiddenChanged), value) && strings.Contains(c.Diff, value) && !elsewhere(value, read(liveText), read(madeText)) {
				t.Errorf("%q is in it:\n%s", value, c.Diff)
			}
		}
	})
}

// elsewhere tells whether an object contains a text outside a Secret's values, for example in its name.
func elsewhere(value string, objects ...map[string]any) bool {
	for _, o := range objects {
		for _, part := range []string{"data", "stringData"} {
			if values, is := o[part].(map[string]any); is {
				for key := range values {
					values[key] = ""
				}
			}
		}
		text, _ := yaml.Marshal(o)
		if strings.Contains(string(text), value) {
			return true
		}
	}
	return false
}

// BenchmarkOf compares a Deployment whose image changes, and an unchanged one.
func BenchmarkOf(b *testing.B) {
	for _, test := range cases[:2] {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				o := Object{Kind: test.kind, Namespace: "octo", Name: "web", Live: object(b, test.live), Made: object(b, test.made)}
				b.StartTimer()
				Of(o, nil)
			}
		})
	}
}
