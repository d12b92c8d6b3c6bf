package e2e

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"octo-operator/config"
)

// The release for which the values files in testdata/chart are rendered. The CRDs have a test of their own.
var renderedRelease = []string{"template", "mesh", chartDir, "--namespace", "octo", "--set", "octo-mesh-crds.enabled=false"}

func renderedValues(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/chart/*.yaml")
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, ".golden.yaml") })
	if err != nil || len(files) < 4 {
		t.Fatalf("values files: %v, %v", files, err)
	}
	return files
}

func render(t *testing.T, helm string, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := osexec.Command(helm, append(slices.Clone(renderedRelease), args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// made matches what the chart generates for each install: keys and certificates.
var made = regexp.MustCompile(`((?:ca\.pem|svc\.pem|svc-key\.pem|caBundle): )\S{200,}`)

func TestTheChartRendersTheSameWithHelm4AndHelm3(t *testing.T) {
	t.Parallel()
	for _, file := range renderedValues(t) {
		golden := strings.TrimSuffix(file, ".yaml") + ".golden.yaml"
		for name, helm := range map[string]string{"helm 4": "helm", "helm 3": os.Getenv("OCTO_HELM3")} {
			got := made.ReplaceAllString(render(t, helm, "--values", file), "${1}(made)")
			if *update && name == "helm 4" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if diff := gocmp.Diff(documents(string(want)), documents(got)); diff != "" {
				t.Errorf("%s, %s (-want +got); rewrite it with -update:\n%s", file, name, diff)
			}
		}
	}
}

// documents are sorted, because helm 3 orders kinds that it does not know differently.
func documents(rendered string) []string {
	all := strings.Split(rendered, "---\n")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	slices.Sort(all)
	return all
}

func TestTheChartIsLintedWithoutAWarning(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"helm", os.Getenv("OCTO_HELM3")} {
		for _, file := range renderedValues(t) {
			if out, err := osexec.Command(helm, "lint", "--strict", chartDir, "--values", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	}
}

// foreignKinds define the kinds of other operators for which the chart makes objects.
const foreignKinds = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]ss.%[3]s"},"spec":{
	"group":"%[3]s","scope":"Namespaced","names":{"kind":"%[2]s","plural":"%[1]ss","singular":"%[1]s"},"versions":[{"name":"v1","served":true,"storage":true,
	"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`

func TestTheAPIServerTakesWhatTheChartRendersAndFindsThePodRestricted(t *testing.T) {
	w := newWorld(t, "G3")
	for _, kind := range []string{"PodMonitor.monitoring.coreos.com", "PrometheusRule.monitoring.coreos.com", "Certificate.cert-manager.io", "Issuer.cert-manager.io"} {
		name, group, _ := strings.Cut(kind, ".")
		w.applyJSON(fmt.Sprintf(foreignKinds, strings.ToLower(name), name, group))
		w.kubectl("wait", "--for=condition=Established", "crd/"+strings.ToLower(name)+"s."+group)
	}
	for _, namespace := range []string{"octo", "octo-edge", "octo-pools", "octo-platform", "octo-tenants"} {
		w.applyJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/warn":"restricted"}}}`, namespace))
	}
	for _, file := range renderedValues(t) {
		cmd := osexec.Command("kubectl", "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
		cmd.Stdin = strings.NewReader(render(t, "helm", "--values", file))
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "Warning") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

func TestTheChartsCRDsAreThoseOfTheRepositoryAndStay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/crds/*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("CRDs: %v, %v", files, err)
	}
	type object = map[string]any
	var rendered []object
	for document := range strings.SplitSeq(render(t, "helm", "--set", "octo-mesh-crds.enabled=true", "--show-only", "templates/crds.yaml"), "---\n") {
		var crd object
		if err := yaml.Unmarshal([]byte(document), &crd); err != nil {
			t.Fatal(err)
		}
		if crd != nil {
			rendered = append(rendered, crd)
		}
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want object
		if err := yaml.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		got := rendered[i]
		if diff := gocmp.Diff(want["spec"], got["spec"]); diff != "" {
			t.Errorf("%s (-file +chart):\n%s", file, diff)
		}
		annotations, _ := got["metadata"].(object)["annotations"].(object)
		if annotations["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s: the chart's goes with the release, and all pools with it: %v", file, annotations)
		}
	}
}

func TestEverySettingThatTheChartRendersIsRead(t *testing.T) {
	t.Parallel()
	// Names that the operator does not know, and why the chart sets them nevertheless.
	ignored := map[string]string{
		"OPERATOR__IMAGEPULLSECRETNAME": "the reference operator's, for the pods that it makes; here charts make the pods. The official chart has the value.",
	}
	for _, file := range renderedValues(t) {
		environment := renderedEnvironment(t, file)
		if len(environment) < 5 {
			t.Fatalf("%s: the chart renders no settings: %v", file, environment)
		}
		with, err := config.Load(environment)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for i, setting := range environment {
			name, _, _ := strings.Cut(setting, "=")
			without, err := config.Load(slices.Delete(slices.Clone(environment), i, i+1))
			if read := err != nil || !reflect.DeepEqual(effect(with), effect(without)) || isDefault(t, setting); !read && ignored[name] == "" {
				t.Errorf("%s: %s makes no difference: nobody reads it", file, name)
			}
		}
	}
}

// effect is the settings without the warnings about their names.
func effect(c config.Config) config.Config {
	for _, told := range []string{"Warnings", "Ignored"} {
		if field := reflect.ValueOf(&c).Elem().FieldByName(told); field.IsValid() {
			field.SetZero()
		}
	}
	return c
}

// isDefault tells whether a setting has its default value: then another value must make a difference.
func isDefault(t *testing.T, setting string) bool {
	t.Helper()
	name, value, _ := strings.Cut(setting, "=")
	for _, other := range []string{"true", "7", "7s", "http://127.0.0.1:7", "/seven"} {
		changed, err := config.Load([]string{name + "=" + other})
		unchanged, _ := config.Load([]string{setting})
		if other != value && (err != nil || !reflect.DeepEqual(effect(changed), effect(unchanged))) {
			return true
		}
	}
	return false
}

// renderedEnvironment is the container's environment, from the ConfigMap, the Secret and the Deployment.
func renderedEnvironment(t *testing.T, file string) (environment []string) {
	t.Helper()
	secret := map[string]string{}
	for document := range strings.SplitSeq(render(t, "helm", "--values", file), "---\n") {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
			Spec     struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env []struct{ Name, Value string }
						}
					}
				}
			}
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		switch {
		case object.Kind == "ConfigMap" && !strings.HasSuffix(object.Metadata.Name, "-dashboard"):
			for name, value := range object.Data {
				environment = append(environment, name+"="+value)
			}
		case object.Kind == "Secret":
			maps.Copy(secret, object.Data)
		case object.Kind == "Deployment":
			for _, env := range object.Spec.Template.Spec.Containers[0].Env {
				plain, err := base64.StdEncoding.DecodeString(secret[env.Name])
				if err != nil {
					t.Fatal(err)
				}
				name, value := env.Name, cmp.Or(env.Value, string(plain), "elsewhere")
				if of, ok := strings.CutSuffix(name, "__FILE"); ok { // the operator reads the file
					plain, err := base64.StdEncoding.DecodeString(secret[path.Base(value)])
					if err != nil || len(plain) == 0 || path.Dir(value) != "/secrets" {
						t.Errorf("%s: nothing is mounted at %s: %v", name, value, err)
					}
					name, value = of, string(plain)
				}
				environment = append(environment, name+"="+value)
			}
		}
	}
	slices.Sort(environment)
	return environment
}
