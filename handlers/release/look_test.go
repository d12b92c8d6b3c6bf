package release

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/bounds"
)

func TestTheLookRefusesWhatIsTooLongToRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<30); err != nil {
		t.Fatal(err)
	}
	run := []string{"OCTO_RELEASE=shop", "OCTO_NAMESPACE=octo"}
	if err := Look(run, file); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has more than %d bytes", bounds.Manifest)) {
		t.Errorf("got %v", err)
	}
}

func TestTheLookLeavesWhatHelmAppliesAndKnowsTheRunByItsVariables(t *testing.T) {
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, annotations: {note: 'victim-octo-secrets'}}\n---\n" +
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}\n"
	look := func(environ ...string) (string, error) {
		file := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Look(environ, file)
		left, readErr := os.ReadFile(file)
		if readErr != nil {
			t.Fatal(readErr)
		}
		return string(left), err
	}
	if _, err := look("OCTO_RELEASE=shop", "OCTO_NAMESPACE=octo", "OCTO_TENANT=acme"); err == nil || !strings.Contains(err.Error(), "victim-octo-secrets") {
		t.Errorf("another release's Secret: %v", err)
	}
	for name, environ := range map[string][]string{
		"the release's own Secret":           {"OCTO_RELEASE=victim", "OCTO_NAMESPACE=octo", "OCTO_TENANT=acme", "OCTO_OWN_SECRETS=,victim-octo-secrets"},
		"a command that somebody has pasted": {"RELEASE=shop"},
	} {
		left, err := look(environ...)
		if err != nil || !strings.Contains(left, "name: web") || strings.Contains(left, "migrate") {
			t.Errorf("%s: %v, left is\n%s", name, err, left)
		}
	}
}
