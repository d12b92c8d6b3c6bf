package release

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withHelm is an environment whose helm is a script.
func withHelm(t *testing.T, script string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "helm"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH")) // where the operator looks for its tools
	return []string{"PATH=" + os.Getenv("PATH")}
}

func TestTheHelmOnPathMustBeOneThatTheScriptsKnow(t *testing.T) {
	for script, test := range map[string]struct{ want, err string }{
		"echo v3.22.0; echo more":       {"3", ""},
		"echo v4.3.1":                   {"4", ""},
		"echo 4.3.1":                    {"4", ""},
		"echo v2.17.0":                  {"", `cannot use helm "v2.17.0"`},
		"echo nothing of the kind":      {"", "cannot use helm"},
		"echo it is broken >&2; exit 1": {"", "cannot ask helm for its version"},
	} {
		v := helmVersion{env: withHelm(t, script)}
		got, err := v.major(t.Context())
		if got != test.want || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %q, %v, want %q, %q", script, got, err, test.want, test.err)
		}
	}
}

func TestHelmIsAskedForItsVersionUntilItAnswers(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	v := helmVersion{env: withHelm(t, "echo x >>"+asked+"; [ $(wc -l <"+asked+") -gt 1 ] && echo v4.0.0")}
	for range 4 {
		_, _ = v.major(t.Context())
	}
	if text, err := os.ReadFile(asked); err != nil || strings.Count(string(text), "x") != 2 {
		t.Errorf("asked %q, %v, want twice", text, err)
	}
}
