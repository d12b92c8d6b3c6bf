package helmoracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random values documents as YAML text: what people write, and what they should not. The same seed
// gives the same documents.
type generator struct {
	*rand.Rand
	out     strings.Builder
	count   int      // of anchors in this document
	anchors []string // defined so far in this document
	maps    []string // of those, the ones that hold a map and so can be merged with <<
	quoted  bool     // keys that look like numbers are quoted; mixed, 1 and "1" would meet in an undefined order
	broken  bool     // this document may hold what no reader accepts
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 20261123))}
}

func (g *generator) pick(from []string) string { return from[g.IntN(len(from))] }
func (g *generator) chance(percent int) bool   { return g.IntN(100) < percent }

// keys is small, so that two documents meet in many places.
var keys = []string{
	"image", "tag", "replicas", "ingress", "enabled", "env", "config", "a", "b", "c", "global",
	`"quoted key"`, `'it''s'`, `"esc\u00e4\x41\n"`, "schlüssel", "日本", "🚢", "example.com/x-y", "with space",
	`""`, `"@at"`, `"#hash"`, `": "`, "plain#no", "-dash", `"q?"`, `"null"`, `"~"`, "<<x", "=", "a.b", "a[0]",
}

// keysNotText are read as something else than text and become text again.
var keysNotText = []string{"1", "42", "0x10", "017", "0o17", "1.5", "-3", "yes", "off", "1_0", "1e3", "2001-01-01", "y"}

var keysQuoted = []string{`"1"`, `"42"`, `"16"`, `'1.5'`, `"true"`, `"false"`, `"yes"`, `"10"`}

var scalars = []string{
	"", "null", "~", "Null", "NULL", "true", "false", "True", "FALSE", "yes", "no", "Yes", "NO", "on", "off", "y", "n", "Y", "N",
	"0", "1", "-1", "+1", "42", "30000000", "1000000", "9007199254740992", "9007199254740993", "-9007199254740993",
	"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
	"123456789012345678901234567890", "-9223372036854775809", "0x1F", "0X1f", "-0x1F", "0o17", "0o7", "0O7", "017", "0777", "08", "09",
	"0b101", "-0b11", "0b", "1_000", "1_", "_1", "1__0", "1e3", "1E3", "1e+3", "1.5e-7", "1e21", "1e22", ".5", "5.", "-.5", "+.5", "1.0", "1.10",
	"1.10.0", "0.1", "1e-400", "-0", "-0.0", "+0", "3.0e7", "12e03", "0e0", "0.30000000000000004", "123456789.123456789",
	"1:30", "190:20:30", "1:30.5", "2001-01-01", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5", "2001-1-1", "2001-13-45",
	"text", "two words", "v1.2.3", "100m", "128Mi", "a#b", "http://x:80/y?z=1&w=2", "--", "=", "<<", "a:b",
	`""`, `''`, `" "`, `"  lead"`, `"trail  "`, `"null"`, `"true"`, `"yes"`, `'no'`, `"1"`, `"1.10"`, `'017'`, `"0x1F"`, `"1e3"`, `"2001-01-01"`, `"~"`,
	`"1:30"`, `"y"`, `"-0"`, `"1_000"`, `"0o7"`, `".5"`, `".inf"`, `"\n"`, `"a\nb"`, `"a\n\nb\n"`, `"\n a"`, `" a\n b\n"`, `"a\tb"`, `"\ta"`, `"a\r\nb"`, `"\r"`, `"a \nb"`, `"\x00"`, `"\x01\x07"`,
	`"\x7f"`, `"\u0085"`, `"\u0090"`, `"\u2028x"`, `"\ufeff"`, `"\ufffe"`, `"\uffff"`, `"\u00e9"`, `"<b>&amp;</b>"`, `"{{ .Values.x }}"`, `"{a: b}"`, `"[a]"`, `"*a"`, `"&a"`, `"!t"`, `"%p"`, `"@a"`, "\"`a\"", `"|"`, `">"`, `"- a"`, `"? a"`, `"a: b"`, `"a #b"`, `"---"`, `"..."`, `"#"`, `"\\"`, `"\""`, `"'"`,
	`'single ''quoted'''`, "ünï", "日本語", "🚀 launch", "'multi\n  line'", "\"folded\n  text \\\n  joined\"",
	"!!str 1.10", "!!str yes", "!!int \"3\"", "!!float 1", "!!bool yes", "!!null ''", "!custom x", "!!binary aGVsbG8=", "!!timestamp 2001-01-01", "!!set {a, b}",
	"'" + strings.Repeat("word ", 40) + "'", strings.Repeat("x", 300), "'" + strings.Repeat("a  b ", 50) + " '", `"` + strings.Repeat(`ä\n `, 30) + `"`,
}

// scalarsBlock are good in block style only.
var scalarsBlock = []string{"a # comment", "!!str", "!", "!!str # text"}

// scalarsBroken are refused by helm, at one stage or another.
var scalarsBroken = []string{
	".nan", ".inf", "-.Inf", "@at", "`tick", "%percent", "*nowhere", "!!int x", "!!float {a: 1}", "!!bool 3", "\"open", "'open", "[1, 2", "{a: 1", "a: b: c", `"\q"`, "\x01", "!!binary '!'", "&",
	"]", "}", ", ,", "\xff", "!!timestamp x", "- not a list", "-", "key:", `"\ud83d\ude80"`, "1e400",
}

func (g *generator) scalar() string {
	if g.broken && g.chance(4) {
		return g.pick(scalarsBroken)
	}
	return g.pick(scalars)
}

func (g *generator) key() string {
	switch {
	case g.broken && g.chance(2):
		return g.pick([]string{"null", "~", "? [a]\n", "{a: 1}", "*nowhere ", "!!int x", "[", "\t", "? {a: 1}"})
	case g.chance(10) && g.quoted:
		return g.pick(keysQuoted)
	case g.chance(10) && !g.quoted:
		return g.pick(keysNotText)
	}
	return g.pick(keys)
}

// document returns a whole document, now and then a stream of several.
func (g *generator) document() string {
	g.out.Reset()
	g.broken = g.chance(15)
	if g.chance(3) {
		return g.pick([]string{"", "\n", "# only a comment\n", "null\n", "~", "{}", "---\n", "---", "[]", "- a\n", "text", "1", "--- # c\n", "...\n", "\ufeffa: 1\n",
			"--- {a: 1}\n", "%YAML 1.1\n---\na: 1\n", "a: 1\n...\nb: 2\n", "a: 1\n--- x\nb: 2\n", "true", "\t", "{", "a", "a:\r\n  b: 1\r\n---\r\na: 2\r\n", "---\n---\na: 1\n---\n",
			"a: |\n  x\n---\na: 2\n", "a: \"x\n---\ny\"\n", "---a: 1\n", " ---\na: 1\n", "\"a\": 1,\n\"b\": 2", "{\"a\": 1}\n{\"b\": 2}\n", "a: 1\x00b: 2"})
	}
	if g.chance(10) {
		g.out.WriteString(g.pick([]string{"# comment\n", "---\n", "\n\n", "--- # start\n", "\ufeff"}))
	}
	g.part()
	for g.chance(6) {
		g.out.WriteString(g.pick([]string{"---\n", "--- \n", "--- # next\n"}))
		g.part()
	}
	text := g.out.String()
	if g.chance(5) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if g.chance(5) {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

func (g *generator) part() {
	g.anchors, g.maps = nil, nil
	g.quoted = g.chance(50)
	if g.chance(6) {
		g.flow(0, true)
		g.out.WriteByte('\n')
		return
	}
	g.blockMap(0, 0)
	if g.chance(2) { // deep, but within what both accept
		levels := 20 + g.IntN(60)
		for i := range levels {
			fmt.Fprintf(&g.out, "%sdeep:\n", strings.Repeat(" ", i))
		}
		fmt.Fprintf(&g.out, "%sx: 1\n", strings.Repeat(" ", levels))
	}
}

func (g *generator) blockMap(indent, depth int) {
	pad := strings.Repeat(" ", indent)
	for range 1 + g.IntN(6) {
		if g.chance(4) {
			fmt.Fprintf(&g.out, "%s# note: {not: yaml\n", pad)
		}
		if len(g.maps) > 0 && g.chance(25) {
			if g.chance(30) && len(g.maps) > 1 {
				fmt.Fprintf(&g.out, "%s<<: [*%s, *%s]\n", pad, g.pick(g.maps), g.pick(g.maps))
			} else {
				fmt.Fprintf(&g.out, "%s<<: *%s\n", pad, g.pick(g.maps))
			}
			continue
		}
		if g.chance(3) {
			fmt.Fprintf(&g.out, "%s? %s\n%s:", pad, g.key(), pad)
		} else {
			fmt.Fprintf(&g.out, "%s%s:", pad, g.key())
		}
		g.value(indent, depth)
	}
}

// value writes what comes after "key:", with the line's end.
func (g *generator) value(indent, depth int) {
	anchor := ""
	if g.chance(12) {
		anchor = fmt.Sprintf("x%d", g.count)
		g.count++
		fmt.Fprintf(&g.out, " &%s", anchor)
	}
	holdsMap := false
	pad := strings.Repeat(" ", indent+2)
	switch n := g.IntN(100); {
	case n < 30 && depth < 6:
		holdsMap = true
		g.out.WriteByte('\n')
		g.blockMap(indent+2, depth+1)
	case n < 38 && depth < 6:
		g.out.WriteByte('\n')
		for range 1 + g.IntN(3) {
			g.out.WriteString(pad + "-")
			g.value(indent+2, depth+1)
		}
	case n < 48:
		g.out.WriteByte(' ')
		holdsMap = g.flow(depth, false)
		g.out.WriteByte('\n')
	case n < 53:
		fmt.Fprintf(&g.out, " %s\n", g.pick([]string{"{}", "[]", "{}", "[]", "{ }", "[ ]", "null", "~", `""`, "0", "false"}))
	case n < 58:
		style := g.pick([]string{"|", ">", "|-", ">-", "|+", ">+"})
		fmt.Fprintf(&g.out, " %s\n", style)
		if !g.broken { // a first line that is indented more than the next is an error
			fmt.Fprintf(&g.out, "%sfirst\n", pad)
		}
		for range g.IntN(4) {
			g.out.WriteString(g.pick([]string{pad + "line one\n", pad + "  more indented\n", "\n", pad + "yes\n", pad + "# text\n", pad + "tail  \n", pad + "a: b\n"}))
		}
	case n < 63 && anchor == "" && len(g.anchors) > 0:
		fmt.Fprintf(&g.out, " *%s\n", g.pick(g.anchors))
	case n < 66:
		fmt.Fprintf(&g.out, " %s\n", g.pick(scalarsBlock))
	default:
		fmt.Fprintf(&g.out, " %s\n", strings.ReplaceAll(g.scalar(), "\n", "\n"+pad))
	}
	if anchor != "" {
		g.anchors = append(g.anchors, anchor)
		if holdsMap {
			g.maps = append(g.maps, anchor)
		}
	}
}

// flow writes a map or list on one line, and says whether it is a map.
func (g *generator) flow(depth int, onlyMap bool) bool {
	if depth > 5 {
		g.out.WriteString("{}")
		return true
	}
	isMap := onlyMap || g.chance(60)
	g.out.WriteString(map[bool]string{true: "{", false: "["}[isMap])
	for i := range g.IntN(4) {
		if i > 0 {
			g.out.WriteString(", ")
		}
		if isMap {
			g.out.WriteString(g.key() + ": ")
		}
		if g.chance(25) {
			g.flow(depth+1, false)
		} else {
			g.out.WriteString(strings.ReplaceAll(g.scalar(), "\n", " "))
		}
	}
	g.out.WriteString(map[bool]string{true: "}", false: "]"}[isMap])
	return isMap
}
