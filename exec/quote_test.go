package exec

import (
	"bytes"
	osexec "os/exec"
	"strings"
	"testing"
)

func TestQuoteOnlyWhereNeeded(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"helm", "upgrade", "--install", "a-b_c.d/e:1,2@x+y%", "--set", "a=b"}, "helm upgrade --install a-b_c.d/e:1,2@x+y% --set a=b"},
		{[]string{"echo", ""}, "echo ''"},
		{[]string{"echo", "two words", "it's", "$HOME", "~", "*"}, `echo 'two words' 'it'\''s' '$HOME' '~' '*'`},
		{[]string{"A=1", "A=1"}, "'A=1' A=1"},
		{nil, ""},
	} {
		if got := Quote(tt.args); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// throughDash returns the words into which a real shell splits the command line.
func throughDash(t *testing.T, args []string) []string {
	t.Helper()
	out, err := osexec.Command("/bin/dash", "-c", `printf '%s\0' `+Quote(args)).Output()
	if err != nil {
		t.Fatalf("%q as %s: %v", args, Quote(args), err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestQuotedArgumentsComeThroughDash(t *testing.T) {
	var every []string
	for b := 1; b < 256; b++ {
		every = append(every, string([]byte{byte(b)}), string([]byte{'x', byte(b), 'y', byte(b)}))
	}
	for _, args := range [][]string{
		every,
		{"", "", ""},
		{"'", "''", `\'`, `'\''`, `\`, `"`, "a'b\"c"},
		{"$(id)", "`id`", "${HOME}", "!!", "~root", "a;b", "a&b", "a|b", "a>b", "#x", "{a,b}", "[a]", "a\nb", "\r\n", "-n", "--", "A=~"},
		{"wörd", "€", "\xff\xfe", "\x81\x82\x88"},
	} {
		equalLines(t, "arguments", throughDash(t, args), args)
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("it's", "$HOME `id` \\")
	f.Add("", "\x81'\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = string(bytes.ReplaceAll([]byte(a), []byte{0}, nil)), strings.ReplaceAll(b, "\x00", "") // no argument holds a NUL
		equalLines(t, "arguments", throughDash(t, []string{a, b}), []string{a, b})
	})
}
