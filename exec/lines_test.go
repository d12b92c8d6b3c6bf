package exec

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// split writes the chunks and returns the lines.
func split(limit int, chunks ...string) (texts []string, lines []Line) {
	w := &lineWriter{stream: "stdout", limit: limit, emit: func(l Line) {
		texts = append(texts, l.Text)
		lines = append(lines, l)
	}}
	for _, chunk := range chunks {
		w.Write([]byte(chunk))
	}
	w.Close()
	return texts, lines
}

func TestLineWriter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		chunks []string
		want   []string
	}{
		{"line in pieces", []string{"a", "b", "c\nd", "\n"}, []string{"abc", "d"}},
		{"blank lines stay", []string{"a\n\n\nb\n"}, []string{"a", "", "", "b"}},
		{"CRLF is one end", []string{"a\r\nb\r\n"}, []string{"a", "b"}},
		{"CRLF over two writes", []string{"a\r", "\nb\r", "\n"}, []string{"a", "b"}},
		{"blank CRLF lines stay", []string{"a\r\n\r\n\r\nb"}, []string{"a", "", "", "b"}},
		{"CR ends a line", []string{"1%\r2%\r3%"}, []string{"1%", "2%", "3%"}},
		{"leading CR", []string{"\r1%\r2%\ndone\n"}, []string{"1%", "2%", "done"}},
		{"CR at both ends", []string{"\r1%\r\r2%\r\r\n"}, []string{"1%", "2%"}},
		{"same progress twice is two lines", []string{"1%\r1%\r"}, []string{"1%", "1%"}},
		{"rune over two writes", []string{"\xe2\x82", "\xac\n"}, []string{"€"}},
		{"cut rune", []string{"\xe2\x82\n\xac\n"}, []string{"\uFFFD", "\uFFFD"}},
		{"nothing", []string{"", ""}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := split(maxLine, tt.chunks...)
			equalLines(t, "lines", got, tt.want)
		})
	}
}

func TestLineIsHandedOnBeforeTheNextByteComes(t *testing.T) {
	n := 0
	w := &lineWriter{limit: maxLine, emit: func(Line) { n++ }}
	for i, chunk := range []string{"one\n", "two\r", "\nthree\n"} {
		w.Write([]byte(chunk))
		if n != i+1 {
			t.Errorf("after %q: %d lines", chunk, n)
		}
	}
}

func TestLongLinesAreSplitWithoutLoss(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
		more []bool
	}{
		{"12345678\nx\n", []string{"12345678", "x"}, []bool{false, false}},
		{"123456789\nx\n", []string{"12345678", "9", "x"}, []bool{true, false, false}},
		{"12345678\r\n", []string{"12345678"}, []bool{false}},
		{"1234567€90\n", []string{"1234567", "€90"}, []bool{true, false}},
		{strings.Repeat("x", 20), []string{"xxxxxxxx", "xxxxxxxx", "xxxx"}, []bool{true, true, false}},
	} {
		got, lines := split(8, tt.in)
		equalLines(t, tt.in, got, tt.want)
		for i, l := range lines {
			if l.More != tt.more[i] {
				t.Errorf("%q: More of line %d is %v", tt.in, i, l.More)
			}
		}
	}
}

// simpleSplit is a simpler implementation of what lineWriter promises: \n ends a line, \r ends a line that is not empty.
func simpleSplit(s string) []string {
	var lines []string
	for line := range strings.SplitAfterSeq(s, "\n") {
		text, ended := strings.CutSuffix(line, "\n")
		parts := strings.FieldsFunc(text, func(r rune) bool { return r == '\r' })
		if len(parts) == 0 && ended {
			parts = []string{""}
		}
		lines = append(lines, parts...)
	}
	return lines
}

func FuzzLineWriter(f *testing.F) {
	f.Add("one\ntwo\r\nthree\rfour", uint8(3), uint8(8))
	f.Add("\r\n\r\r\n\n\r", uint8(1), uint8(4))
	f.Add("€€€€€€€€\xff\xfe\n", uint8(2), uint8(5))
	f.Fuzz(func(t *testing.T, in string, chunk, limit uint8) {
		chunks := pieces(in, int(chunk)+1)
		if whole, _ := split(maxLine, chunks...); utf8.ValidString(in) {
			equalLines(t, "against the simple splitter", whole, simpleSplit(in))
		}
		longest := max(int(limit), utf8.UTFMax)
		var joined []string
		open := false
		_, lines := split(longest, chunks...)
		for _, l := range lines {
			if len(l.Text) > 3*longest || utf8.ValidString(in) && len(l.Text) > longest || !utf8.ValidString(l.Text) {
				t.Errorf("bad line %q", l.Text)
			}
			if open {
				joined[len(joined)-1] += l.Text
			} else {
				joined = append(joined, l.Text)
			}
			open = l.More
		}
		if open {
			t.Error("the last line promises more")
		}
		if utf8.ValidString(in) {
			whole, _ := split(maxLine, in)
			equalLines(t, "long lines joined", joined, whole)
		}
	})
}

// pieces cuts s into pieces of n bytes.
func pieces(s string, n int) []string {
	var all []string
	for len(s) > n {
		all, s = append(all, s[:n]), s[n:]
	}
	return append(all, s)
}
