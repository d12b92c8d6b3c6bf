package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/bounds"
)

func TestParsePathReadsWhatHelmSetReads(t *testing.T) {
	tests := map[string]Path{
		"a":                     {{Name: "a"}},
		"a.b.c":                 {{Name: "a"}, {Name: "b"}, {Name: "c"}},
		"a.b[0].c":              {{Name: "a"}, {Name: "b"}, {Index: 0, InList: true}, {Name: "c"}},
		"a[1][22]":              {{Name: "a"}, {Index: 1, InList: true}, {Index: 22, InList: true}},
		`example\.com/x`:        {{Name: "example.com/x"}},
		`a\[0\].b\\`:            {{Name: "a[0]"}, {Name: `b\`}},
		"a]b":                   {{Name: "a]b"}},
		"a,b=c{d}":              {{Name: "a,b=c{d}"}},
		"with space.ä.日本":       {{Name: "with space"}, {Name: "ä"}, {Name: "日本"}},
		"a[007]":                {{Name: "a"}, {Index: 7, InList: true}},
		"a[65536]":              {{Name: "a"}, {Index: 65536, InList: true}},
		"metadata.annotations.": nil,
	}
	for text, want := range tests {
		got, err := parsePath(text)
		if want == nil {
			if err == nil {
				t.Errorf("%q: got %v, want an error", text, got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestParsePathErrorsSayWhatIsWrongAndWhere(t *testing.T) {
	tests := map[string]string{
		"":                               "the path is empty",
		".a":                             "a name is missing at position 1",
		"a..b":                           "a name is missing at position 3",
		"a.":                             "a name is missing at position 3",
		"[0]":                            "a name is missing at position 1",
		"a.[0]":                          "a name is missing at position 3",
		"a[":                             "[ without ] at position 2",
		"a[0":                            "[ without ] at position 2",
		"a[]":                            "index is missing at position 2",
		"a[x]":                           "index is not a number at position 2",
		"a[-1]":                          "index is not a number at position 2",
		"a[+1]":                          "index is not a number at position 2",
		"a[65537]":                       "index is above 65536 at position 2",
		"a[99999999999999999999]":        "index is above 65536 at position 2",
		"a[0]b":                          "after an index comes a dot or another index, not what is at position 5",
		`a\`:                             "backslash with nothing after it at position 2",
		strings.Repeat("a.", 100) + "a":  "the path is deeper than 100 levels",
		"a" + strings.Repeat("[0]", 100): "the path is deeper than 100 levels",
		strings.Repeat("a", 4097):        "the path has 4097 bytes, the limit is 4096",
	}
	for text, want := range tests {
		if _, err := parsePath(text); err == nil || err.Error() != want {
			t.Errorf("%.30q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, text := range []string{"a.b[0].c", `a\.b`, "a[x]", "a[-1]", "a..b", `a\`, "[", `\\.\[0]`, "a[0][1].b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key := secretKeyOf(text); !secretKey.MatchString(key) || len(key) > maxSecretKey {
			t.Errorf("secretKeyOf(%q) = %q, which is no valid key", text, key)
		}
		path, err := parsePath(text)
		if err != nil {
			return
		}
		again, err := parsePath(path.String())
		if err != nil && len(path.String()) > bounds.Path {
			return // escapes made it longer
		}
		if diff := cmp.Diff(path, again); err != nil || diff != "" {
			t.Errorf("%q became %q: %v %s", text, path.String(), err, diff)
		}
	})
}
