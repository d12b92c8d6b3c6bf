package text

import (
	"strings"
	"testing"
	"unicode/utf8"
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
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80"}, // not text, but something is left of it
	} {
		if got := Cut(test.text, test.limit); got != test.want {
			t.Errorf("%q within %d bytes is %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

// FuzzForeignText checks that any text is shown with printable characters only, and not longer than the limit.
func FuzzForeignText(f *testing.F) {
	for _, seed := range []string{"\x1b[31mred\x1b[0m", "\x1b]0;title\x07text", "\x1b\x1b[0m[2J", "a\u202eb\u2028c\x9b31m", "äöü😀\xff\xfe", "\x1b]8;;http://x\x1b\\y", " \r\n\t"} {
		f.Add(seed, 8)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(0, min(limit, 1000))
		for how, shown := range map[string]string{
			"printable": Printable(text), "lines": strings.ReplaceAll(PrintableLines(text), "\n", ""),
			"escaped": Escaped(strings.ToValidUTF8(text, "")), "quoted": Quoted(strings.ToValidUTF8(text, "")), "shown": Shown(strings.ToValidUTF8(text, "")),
		} {
			if strings.ContainsFunc(shown, NotPrinted) || !utf8.ValidString(shown) {
				t.Errorf("%q is %s %q", text, how, shown)
			}
		}
		for how, cut := range map[string]struct {
			text string
			more int // bytes of the mark
		}{"cut": {Cut(text, limit), 0}, "shortened": {Shortened(text, limit), len("…")}, "clipped": {Clip(text, max(limit, len(" …"))), 0}} {
			whole := cut.text == text && len(text) <= max(limit, len(" …"))
			begin := strings.TrimRight(strings.TrimSuffix(cut.text, "…"), " ")
			if !whole && len(cut.text) > max(limit, len(" …"))+cut.more || !strings.HasPrefix(text, begin) || utf8.ValidString(text) && !utf8.ValidString(cut.text) {
				t.Errorf("%q within %d bytes is %s %q", text, limit, how, cut.text)
			}
		}
	})
}
