package text

import (
	"strings"
	"testing"
)

func TestAForeignTextIsOneLineThatIsReadAsItStands(t *testing.T) {
	for name, test := range map[string]struct{ of, escaped, printable string }{
		"plain":              {"shop Ä 1", "shop Ä 1", "shop Ä 1"},
		"a second record":    {"a\nlevel=ERROR", `a\u000alevel=ERROR`, "a level=ERROR"},
		"a colour":           {"\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`, "red"},
		"a title":            {"\x1b]0;title\x07text", `\u001b]0;title\u0007text`, "text"},
		"a line turned":      {"a\u202eb", `a\u202eb`, "a b"},
		"beyond 16 bits":     {"a\U000e0001b", `a\U000e0001b`, "a b"},
		"what is no unicode": {"a\xffb", "a\xffb", "a\ufffdb"},
	} {
		if got := Escaped(test.of); got != test.escaped {
			t.Errorf("%s: escaped %q, want %q", name, got, test.escaped)
		}
		if got := Printable(test.of); got != test.printable {
			t.Errorf("%s: printable %q, want %q", name, got, test.printable)
		}
	}
	if got := PrintableLines("a\x1b[1m\nb\tc"); got != "a\nb c" {
		t.Errorf("lines: %q", got)
	}
}

func TestALongTextIsCutBetweenCharacters(t *testing.T) {
	for name, test := range map[string]struct{ got, want string }{
		"as long as it may be": {Clip("äöü", 6), "äöü"},
		"clipped":              {Clip("äöüäöü", 9), "äö …"},
		"clipped at a space":   {Clip("one two three", 8), "one …"},
		"to nothing":           {Clip("äöüäöü", 4), "…"},
		"shortened":            {Shortened("äöü", 3), "ä…"},
		"not shortened":        {Shortened("äöü", 6), "äöü"},
		"shown":                {Shown(strings.Repeat("x", 200)), strings.Repeat("x", 100) + "…"},
		"quoted":               {Quoted(strings.Repeat("x", 200) + "\n"), `"` + strings.Repeat("x", 60) + `…"`},
	} {
		if strings.TrimSpace(test.got) != test.want {
			t.Errorf("%s: %q, want %q", name, test.got, test.want)
		}
	}
}

func TestNoCharacterIsCutInTwo(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aöb", 2, "a"}, {"aöb", 3, "aö"}, {"日本", 5, "日"}, {"😀😀", 7, "😀"}, {"日", 0, ""},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80"}, // no text at all: something is left of it
	} {
		if got := Cut(test.text, test.limit); got != test.want {
			t.Errorf("%q within %d bytes is %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}
