package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/official-chart.txt has every name that any version of the official chart has rendered.
func TestEveryNameOfTheOfficialChartIsKnown(t *testing.T) {
	list, err := os.ReadFile("testdata/official-chart.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(list))
	if len(names) < 50 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		s, known := find(name)
		if !known {
			t.Errorf("%s is unknown", name)
		}
		if slices.ContainsFunc(own(&Config{}), func(o setting) bool { return o.Name == s.Name }) {
			t.Errorf("%s is said to be our own", name)
		}
	}
}

func TestAnUnknownNameIsToldWithTheNearestKnownOne(t *testing.T) {
	for name, want := range map[string]string{
		"OPERATOR__POOLNAMESPCE":                     "OPERATOR__POOLNAMESPCE is not a setting: do you mean OPERATOR__POOLNAMESPACE?",
		"operator__brokerPasswrod":                   "operator__brokerPasswrod is not a setting: do you mean OPERATOR__BROKERPASSWORD?",
		"OPERATOR__HELM_TIMEOUT":                     "do you mean OPERATOR__HELM__TIMEOUT?",
		"OPERATOR__INGRESS__ANNOTATION__12__NAME":    "do you mean OPERATOR__INGRESS__ANNOTATIONS__n__NAME?",
		"OPERATOR__ADDITIONALVALIDISSUERS":           "do you mean OPERATOR__ADDITIONALVALIDISSUERS__n?",
		"OPERATOR__DEPLOYMENTSITEREGISTRATIONRETRY":  "do you mean OPERATOR__DEPLOYMENTSITEREGISTRATIONRETRYSECONDS?",
		"OPERATOR__SOMETHING":                        "OPERATOR__SOMETHING is not a setting",
		"OPERATOR__INGRESS__ANNOTATIONS__0__1__NAME": "OPERATOR__INGRESS__ANNOTATIONS__0__1__NAME is not a setting",
	} {
		c := load(t, name+"=m4rk3r")
		wantWarning(t, c, want)
		if strings.Contains(strings.Join(c.Warnings, " "), "m4rk3r") {
			t.Errorf("%s: its value is told", name)
		}
	}
	if c := load(t, "OPERATOR__SOMETHING=x"); strings.Contains(strings.Join(c.Warnings, " "), "do you mean") {
		t.Errorf("what resembles nothing is compared: %q", c.Warnings)
	}
	if c := load(t, "PATH=/bin", "OPERATOR=x", "KUBERNETES_SERVICE_HOST=x"); len(c.Warnings) > 0 {
		t.Errorf("names of others are told: %q", c.Warnings)
	}
}

func TestWhatIsIgnoredIsNamedAndNotWarnedAbout(t *testing.T) {
	c := load(t, "Operator__DefaultPoolName=default", "OPERATOR__IMAGEPULLSECRETNAME=x", "POD_NAMESPACE=octo")
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	if diff := cmp.Diff([]string{"Operator__DefaultPoolName", "OPERATOR__IMAGEPULLSECRETNAME", "POD_NAMESPACE"}, c.Ignored); diff != "" {
		t.Error(diff)
	}
}
