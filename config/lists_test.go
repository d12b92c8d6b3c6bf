package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListsAreReadInTheOrderOfTheirNumbers(t *testing.T) {
	var environ, issuers []string
	var annotations []Annotation
	for _, i := range []string{"10", "2", "0", "11", "1", "9", "3", "4", "8", "5", "7", "6"} {
		environ = append(environ, "OPERATOR__ADDITIONALVALIDISSUERS__"+i+"=https://issuer/"+i,
			"OPERATOR__INGRESS__ANNOTATIONS__"+i+"__NAME=example.com/"+i, "operator__ingress__annotations__"+i+"__value=v"+i)
	}
	for _, i := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		issuers = append(issuers, "https://issuer/"+i)
		annotations = append(annotations, Annotation{"example.com/" + i, "v" + i})
	}
	c := load(t, environ...)
	if diff := cmp.Diff(issuers, c.AdditionalValidIssuers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(annotations, c.Ingress.Annotations); diff != "" {
		t.Error(diff)
	}
}

// The keys of a list need not be numbers: .NET binds all children of a section.
func TestAListMayHaveGapsAndNames(t *testing.T) {
	c := load(t, "OPERATOR__ADDITIONALVALIDISSUERS__7=seven", "OPERATOR__ADDITIONALVALIDISSUERS__last=last", "OPERATOR__ADDITIONALVALIDISSUERS__2=two",
		"OPERATOR__INGRESS__ANNOTATIONS__2__NAME=two", "OPERATOR__INGRESS__ANNOTATIONS__2__VALUE=2",
		"OPERATOR__INGRESS__ANNOTATIONS__Size__NAME=size", "OPERATOR__INGRESS__ANNOTATIONS__Size__VALUE=8m")
	if diff := cmp.Diff([]string{"two", "seven", "last"}, c.AdditionalValidIssuers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Annotation{{"two", "2"}, {"size", "8m"}}, c.Ingress.Annotations); diff != "" {
		t.Error(diff)
	}
}

func TestBlankEntriesOfListsAreDropped(t *testing.T) {
	c := load(t, "OPERATOR__ADDITIONALVALIDISSUERS__0=", "OPERATOR__ADDITIONALVALIDISSUERS__1= ", "OPERATOR__ADDITIONALVALIDISSUERS__2=https://x",
		"OPERATOR__INGRESS__ANNOTATIONS__0__NAME=no-value", "OPERATOR__INGRESS__ANNOTATIONS__1__VALUE=no name",
		"OPERATOR__INGRESS__ANNOTATIONS__2__NAME=blank", "OPERATOR__INGRESS__ANNOTATIONS__2__VALUE= ",
		"OPERATOR__INGRESS__ANNOTATIONS__3__NAME=\t", "OPERATOR__INGRESS__ANNOTATIONS__3__VALUE=x",
		"OPERATOR__INGRESS__ANNOTATIONS__4__NAME=good", "OPERATOR__INGRESS__ANNOTATIONS__4__VALUE=x",
		"OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__k1= ")
	if diff := cmp.Diff([]string{"https://x"}, c.AdditionalValidIssuers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Annotation{{"good", "x"}}, c.Ingress.Annotations); diff != "" {
		t.Error(diff)
	}
	if c.ClusterSecrets.EncryptionKeys != nil {
		t.Errorf("got %v", c.ClusterSecrets.EncryptionKeys)
	}
}

func TestTheKeyRing(t *testing.T) {
	const keys, active = "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__", "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONACTIVEKEYID="
	for name, test := range map[string]struct {
		environ []string
		keys    []EncryptionKey
		active  string
		warning string
	}{
		"the only key is the active one":    {[]string{keys + "k1=one"}, []EncryptionKey{{"k1", "one"}}, "k1", ""},
		"ids keep their case":               {[]string{"operator__clustersecrets__secretencryptionkeys__Key2=two", active + "Key2"}, []EncryptionKey{{"Key2", "two"}}, "Key2", ""},
		"the order is that of the ids":      {[]string{keys + "k2=two", keys + "k1=one", keys + "k10=ten", active + "k2"}, []EncryptionKey{{"k1", "one"}, {"k10", "ten"}, {"k2", "two"}}, "k2", ""},
		"an active key that is none":        {[]string{keys + "k1=one", active + "k2"}, []EncryptionKey{{"k1", "one"}}, "k2", `"k2" is none of the key ids (k1)`},
		"several keys, and none is active":  {[]string{keys + "k1=one", keys + "k2=two"}, []EncryptionKey{{"k1", "one"}, {"k2", "two"}}, "", "there are several keys (k1, k2)"},
		"an id in two cases is one setting": {[]string{keys + "K1=one", keys + "k1=two"}, []EncryptionKey{{"k1", "two"}}, "k1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, test.environ...)
			if diff := cmp.Diff(test.keys, c.ClusterSecrets.EncryptionKeys); diff != "" {
				t.Error(diff)
			}
			if c.ClusterSecrets.ActiveKeyID != test.active {
				t.Errorf("active is %q, want %q", c.ClusterSecrets.ActiveKeyID, test.active)
			}
			if test.warning != "" {
				wantWarning(t, c, test.warning)
			} else if len(c.Warnings) > 0 {
				t.Errorf("warnings: %q", c.Warnings)
			}
		})
	}
}

func TestRepositoriesMayBeSetOneByOneOrAllInOne(t *testing.T) {
	const list = "OPERATOR__ALLOWEDREPOSITORIES"
	want := []string{"https://charts.example/team", "oci://registry.example:5000", "http://charts.svc/"}
	for _, environ := range [][]string{
		{list + "__0=" + want[0], "operator__allowedrepositories__1= " + want[1] + " ", list + "__2=" + want[2], list + "__3= "},
		{list + "=" + strings.Join(want, ",")},
		{list + "=" + want[0] + " ", list + "__0=" + want[1] + ",\n " + want[2]},
	} {
		c := load(t, environ...)
		if diff := cmp.Diff(want, c.Repositories.Allowed); diff != "" || len(c.Warnings) > 0 {
			t.Errorf("%q: %s, warnings %q", environ, diff, c.Warnings)
		}
	}
}

func TestAddressesOfSchemasMayBeSetOneByOneOrAllInOne(t *testing.T) {
	want := []string{"https://schemas.example/team", "http://schemas.svc:8080"}
	for _, environ := range [][]string{{"OPERATOR__ALLOWEDSCHEMAS=" + strings.Join(want, ", ")}, {"OPERATOR__ALLOWEDSCHEMAS__0=" + want[0], "OPERATOR__ALLOWEDSCHEMAS__1=" + want[1]}} {
		c := load(t, environ...)
		if diff := cmp.Diff(want, c.Repositories.Schemas); diff != "" || len(c.Warnings) > 0 {
			t.Errorf("%q: %s, warnings %q", environ, diff, c.Warnings)
		}
	}
}

func TestAddressesAreNetworksToo(t *testing.T) {
	c := load(t, "OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1,::1", "OPERATOR__ALLOWEDREPOSITORYADDRESSES__0=10.1.2.3/8", "OPERATOR__ALLOWEDREPOSITORYADDRESSES__1=::ffff:127.0.0.2")
	if got := fmt.Sprint(c.Repositories.Addresses); got != "[127.0.0.1/32 ::1/128 10.0.0.0/8 127.0.0.2/32]" || len(c.Warnings) > 0 {
		t.Errorf("got %s, warnings %q", got, c.Warnings)
	}
}
