package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fileWith(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte(text), 0o400); err != nil {
		t.Fatal(err)
	}
	return file
}

// asFile returns an environment in which the setting's value comes from a file.
func asFile(t *testing.T, setting string) string {
	t.Helper()
	name, value, _ := strings.Cut(setting, "=")
	return name + "__FILE=" + fileWith(t, value)
}

func TestEverySecretCanBeReadFromAFileInsteadOfTheEnvironment(t *testing.T) {
	for _, s := range table(&Config{}) {
		if !s.Secret {
			continue
		}
		setting := strings.Replace(s.Name, "KEYID", "Key-1", 1) + "=planted"
		if got, want := load(t, asFile(t, setting)), load(t, setting); cmp.Diff(want, got) != "" || !slices.Contains(got.Secrets(), "planted") {
			t.Errorf("%s: differs from the same in the environment: %s", s.Name, cmp.Diff(want, got))
		}
	}
}

func TestEveryOtherSettingCanBeReadFromAFileToo(t *testing.T) {
	for _, s := range settings {
		if !strings.HasPrefix(s.name, "OPERATOR__") {
			continue
		}
		c := load(t, asFile(t, s.name+"="+s.value))
		if diff := cmp.Diff(s.want, s.got(c)); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
	// FILE may also be the id of a key, or stand for the number of an issuer.
	odd := load(t, "OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__FILE=x", "OPERATOR__ADDITIONALVALIDISSUERS__FILE=y")
	if diff := cmp.Diff([]EncryptionKey{{"FILE", "x"}}, odd.ClusterSecrets.EncryptionKeys); diff != "" || !slices.Equal(odd.AdditionalValidIssuers, []string{"y"}) {
		t.Errorf("%s%q", diff, odd.AdditionalValidIssuers)
	}
	lower := load(t, "operator__brokerpassword__file="+fileWith(t, "x"))
	if lower.Broker.Password != "x" || len(lower.Warnings) > 0 {
		t.Errorf("in lower case: %q, %q", lower.Broker.Password, lower.Warnings)
	}
}

func TestTheLineBreakAtTheEndOfAFileIsNotOfTheValue(t *testing.T) {
	for text, want := range map[string]string{"x": "x", "x\n": "x", "x\r\n": "x", "x\n\n": "x\n", " x ": " x ", "a\nb\n": "a\nb"} {
		if got := load(t, "OPERATOR__BROKERPASSWORD__FILE="+fileWith(t, text)).Broker.Password; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if c := load(t, "OPERATOR__BROKERPASSWORD=y", "OPERATOR__BROKERPASSWORD__FILE= "); c.Broker.Password != "y" {
		t.Errorf("a blank name of a file counts: %q", c.Broker.Password)
	}
}

// Without the secret the operator would deploy workloads that cannot work, or connect without a token. So it must not connect at all.
func TestAFileThatCannotBeUsedIsAnErrorThatNamesTheSettingAndNotTheContent(t *testing.T) {
	const name = "OPERATOR__BROKERPASSWORD__FILE"
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file, want string
		more       []string
	}{
		{"/not/there", name + ": cannot read the file: stat /not/there: no such file or directory", nil},
		{"/", name + ": / is not a regular file", nil},
		{pipe, "is not a regular file", nil}, // it would be waited for without end
		{fileWith(t, ""), "is empty", nil},
		{fileWith(t, "\n"), "is empty", nil},
		{fileWith(t, "m4rk3r\x00"), "holds a zero byte", nil},
		{fileWith(t, strings.Repeat("m4rk3r", 1<<20)), "has more than 1048576 bytes", nil},
		{fileWith(t, "m4rk3r"), "OPERATOR__BROKERPASSWORD and " + name + " are both set: leave one of them out", []string{"OPERATOR__BROKERPASSWORD=m4rk3r"}},
	} {
		c, err := Load(append(test.more, name+"="+test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "m4rk3r") {
			t.Errorf("%s: got %v", test.want, err)
		}
		if strings.Contains(strings.Join(c.Warnings, " "), "m4rk3r") || c.HTTPAddress != ":5000" {
			t.Errorf("%s: %q, %q", test.want, c.Warnings, c.HTTPAddress)
		}
	}
}

func TestAFileOfNoSettingIsWarnedAbout(t *testing.T) {
	c := load(t, "OPERATOR__BROKERPASSWROD__FILE=/not/there", "OPERATOR__DEFAULTPOOLNAME__FILE=/not/there")
	wantWarning(t, c, "OPERATOR__BROKERPASSWROD__FILE is not a setting: do you mean OPERATOR__BROKERPASSWORD")
	wantWarning(t, c, "OPERATOR__DEFAULTPOOLNAME__FILE is not a setting")
}
