package config

import (
	"strings"
	"testing"
	"unicode"
)

// Whatever the settings hold, Load does not panic, and no error or warning holds the value of a secret setting.
func FuzzLoad(f *testing.F) {
	for _, s := range table(&Config{}) {
		f.Add(s.Name, "x")
	}
	f.Add("operator__INGRESS__ANNOTATIONS__0__NAME", "a\x00b")
	f.Add("OPERATOR__ADDITIONALVALIDISSUERS__99999999999999999999", "https://a")
	f.Add("KESTREL__ENDPOINTS__HTTP__URL", "http://[::1%25lo]:65536")
	f.Fuzz(func(t *testing.T, name, value string) {
		c, err := Load([]string{"OPERATOR__COMMUNICATIONCONTROLLERURI=https://controller.example", name + "=" + value})
		text := strings.Join(c.Warnings, "\n")
		if err != nil {
			text += err.Error()
		}
		for _, s := range table(&Config{}) {
			if s.Secret && strings.EqualFold(s.Name, name) && len(value) > 12 && !strings.Contains(name, value) && strings.Contains(text, value) {
				t.Errorf("the value of %s is in %q", name, text)
			}
		}
		if !strings.ContainsFunc(name, unicode.IsControl) && strings.ContainsAny(text, "\r\x1b\x00") {
			t.Errorf("a control character is in %q", text)
		}
	})
}
