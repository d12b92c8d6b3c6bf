package repository

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var (
	app1 = Entry{Chart: "app", Version: "1.0.0", URL: "app-1.0.0.tgz", Digest: digestA}
	app2 = Entry{Chart: "app", Version: "2.0.0", URL: "app-2.0.0.tgz", Digest: digestB}
	web1 = Entry{Chart: "web", Version: "1.0.0", URL: "https://x/web.tgz"}
)

// item1 and so on are the versions above as text in block style, indented by some columns.
func block(e Entry, columns int) string {
	text := fmt.Sprintf("- name: %s\n  version: %s\n  urls:\n  - %s\n", e.Chart, e.Version, e.URL)
	if e.Digest != "" {
		text += "  digest: " + e.Digest + "\n"
	}
	return indent(text, columns)
}

func indent(text string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", columns) + line)
	}
	return b.String()
}

// indexes are some as programs write them, and faulty ones. want is nil for those that only helm can read.
var indexes = []struct {
	name, text string
	want       []Entry
}{
	{"as helm writes it", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + block(app2, 2) + "  web:\n" + block(web1, 2) + "generated: \"2026-01-01T00:00:00Z\"\n", []Entry{app1, app2, web1}},
	{"lists further in", "apiVersion: v1\nentries:\n    app:\n" + block(app1, 6) + block(app2, 6), []Entry{app1, app2}},
	{"a first marker, comments and blank lines", "---\n# made by hand\napiVersion: v1\n\nentries: # charts\n\n  # the app\n  app: # here\n\n" + block(app1, 2) + "# between\n\n" + block(app2, 2) + "\n# end\n", []Entry{app1, app2}},
	{"other fields first", "generated: x\nserverInfo: {contextPath: /x}\nannotations:\n  entries: none\napiVersion: v1\nentries:\n  app:\n" + block(app1, 2), []Entry{app1}},
	{"apiVersion last", "entries:\n  app:\n" + block(app1, 2) + "apiVersion: v1\n", []Entry{app1}},
	{"line ends of Windows", strings.ReplaceAll("apiVersion: v1\nentries:\n  app:\n"+block(app1, 2)+block(app2, 2), "\n", "\r\n"), []Entry{app1, app2}},
	{"no end of the last line", strings.TrimSuffix("apiVersion: v1\nentries:\n  app:\n"+block(app1, 2), "\n"), []Entry{app1}},
	{"quoted names", "apiVersion: v1\nentries:\n  \"app\":\n" + block(app1, 2) + "  'web':\n" + block(web1, 2), []Entry{app1, web1}},
	{"a dash on a line of its own", "apiVersion: v1\nentries:\n  app:\n  -\n" + strings.Replace(block(app1, 2), "-", " ", 1), []Entry{app1}},
	{"versions in flow style", "apiVersion: v1\nentries:\n  app:\n  - {name: app, version: 1.0.0, urls: [app-1.0.0.tgz], digest: " + digestA + "}\n", []Entry{app1}},
	{"a text that looks like an index", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "    description: |\n      entries:\n      - name: other\n      --- \n\n      # no comment\n    home: x\n" + block(app2, 2), []Entry{app1, app2}},
	{"a digest with its kind", "apiVersion: v1\nentries:\n  app:\n" + strings.Replace(block(app1, 2), digestA, "sha256:"+strings.ToUpper(digestA), 1), []Entry{app1}},
	{"a digest of another kind", "apiVersion: v1\nentries:\n  web:\n" + block(web1, 2) + "    digest: 0123abcd\n", []Entry{{Chart: "web", Version: web1.Version, URL: web1.URL, Digest: "0123abcd"}}},
	{"a chart without versions", "apiVersion: v1\nentries:\n  app: []\n  web:\n" + block(web1, 2) + "  none:\n", []Entry{web1}},
	{"no charts", "apiVersion: v1\nentries: {}\n", []Entry{}},
	{"no entries", "apiVersion: v1\n", []Entry{}},
	{"what helm leaves out", "apiVersion: v1\nentries:\n  app:\n  - version: 3.0.0\n  - name: app\n  - name: app\n    version: newest\n  -\n  - name: app\n    version: 4.0.0\n    type: sheet\n" + block(app1, 2), []Entry{app1}},
	{"versions that are numbers", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.5\n  - name: app\n    version: 2\n", []Entry{{Chart: "app", Version: "1.5"}, {Chart: "app", Version: "2"}}},
	{"a version in capitals", "apiVersion: v1\nentries:\n  web:\n  - NAME: web\n    Version: 1.0.0\n    URLS:\n    - https://x/web.tgz\n", []Entry{web1}},
	{"names that are no texts", "apiVersion: v1\nentries:\n  on:\n  - name: on\n    version: 1.0.0\n    urls: [1, 2]\n", []Entry{{Chart: "true", Version: "1.0.0", URL: "1"}}},
	{"a version in both cases", "apiVersion: v1\nentries:\n  web:\n  - NAME: x\n    name:\n    version: 1.0.0\n    VERSION: 2.0.0\n", []Entry{{Chart: "web", Version: "1.0.0"}}},
	{"an alias within a version", "apiVersion: v1\nentries:\n  app:\n  - name: &n app\n    version: 1.0.0\n    home: *n\n", []Entry{{Chart: "app", Version: "1.0.0"}}},

	{"JSON", `{"apiVersion":"v1","generated":"x","entries":{"app":[{"name":"app","version":"1.0.0","urls":["app-1.0.0.tgz"],"digest":"` + digestA + `","maintainers":[{"name":"x"}]}],"none":[],"null":null},"z":{"entries":1}}` + "\n", []Entry{app1}},
	{"JSON without charts", `{"entries":null,"apiVersion":"v1"}`, []Entry{}},
	{"JSON in capitals", `{"APIVERSION":"v1","ENTRIES":{"web":[{"NAME":"web","Version":"1.0.0","URLS":["https://x/web.tgz"]}]}}`, []Entry{web1}},
	{"JSON with entries twice", `{"apiVersion":"v1","entries":{},"Entries":{}}`, nil},
	{"JSON with entries twice and a version in both cases", `{"apiVersion":"v1","Entries":{},"entries":{"web":[{"name":"web","version":"1.0.0","VERSION":"2.0.0"}]}}`, nil},
	{"JSON and more", `{"entries":null,"apiVersion":"v1"} x`, nil},
	{"JSON that is cut off", `{"apiVersion":"v1","entries":{"app":[{"name":"app"`, nil},
	{"JSON without apiVersion", `{"entries":{}}`, nil},
	{"JSON with a chart twice", `{"apiVersion":"v1","entries":{"app":[],"app":[]}}`, nil},
	{"JSON of another kind", `{"apiVersion":"v1","entries":[]}`, nil},

	{"nothing", "", nil},
	{"a page", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", nil},
	{"no apiVersion", "entries:\n  app:\n" + block(app1, 2), nil},
	{"entries in capitals", "apiVersion: v1\nENTRIES:\n  app:\n" + block(app1, 2), nil},
	{"a second document that says something else", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "---\nentries:\n  app:\n" + block(app2, 2), nil},
	{"apiVersion that is empty", "apiVersion: \"\"\nentries:\n  app:\n" + block(app1, 2), nil},
	{"apiVersion that is a number", "apiVersion: 1\nentries:\n  app:\n" + block(app1, 2), nil},
	{"apiVersion in two cases", "apiVersion: v1\nAPIVERSION: \"\"\nentries:\n  app:\n" + block(app1, 2), nil},
	{"entries twice", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "entries:\n  web:\n" + block(web1, 2), nil},
	{"a chart twice", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "  app:\n" + block(app2, 2), nil},
	{"flow style", "apiVersion: v1\nentries: {app: [{name: app, version: 1.0.0}]}\n", nil},
	{"a chart in flow style", "apiVersion: v1\nentries:\n  app: [{name: app, version: 1.0.0}]\n", nil},
	{"an alias to another version", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n    urls: &u [a]\n  - name: app\n    version: 2.0.0\n    urls: *u\n", nil},
	{"a quote over two versions", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n    home: \"\n  - name: app\n    version: 2.0.0\n    home: \"\n", nil},
	{"a bracket over two versions", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n    urls: [\n  - name\n    ]\n", nil},
	{"a quote that hides the entries", "apiVersion: v1\nhome: \"\nentries:\n  app:\n" + block(app1, 2) + "\"\n", nil},
	{"a second document", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "---\napiVersion: v1\n", nil},
	{"the end of a document", "apiVersion: v1\nentries:\n  app:\n" + block(app1, 2) + "...\n", nil},
	{"a directive", "%YAML 1.1\n---\napiVersion: v1\nentries:\n  app:\n" + block(app1, 2), nil},
	{"tabs", "apiVersion: v1\nentries:\n\tapp:\n", nil},
	{"less far in than the chart", "apiVersion: v1\nentries:\n    app:\n" + block(app1, 4) + "  web:\n" + block(web1, 2), nil},
	{"a version without a chart", "apiVersion: v1\nentries:\n" + block(app1, 2), nil},
	{"a line break of Unicode", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\u2028  - name: app\n    home: x\n", nil},
	{"a line break of old Macintoshes", "apiVersion: v1\nentries:\n  app:\n  - name: app\r  - name: app\n", nil},
	{"a version of more than a MiB", "apiVersion: v1\nentries:\n  app:\n  - name: app\n    version: 1.0.0\n" + strings.Repeat("    # much\n", maxPiece/8), nil},
	{"a line of more than a MiB", "apiVersion: v1\nentries:\n  app:\n  - name: " + strings.Repeat("x", 3*maxPiece), nil},
	{"a JSON text of more than a MiB", `{"apiVersion":"v1","home":"` + strings.Repeat("x", 3*maxPiece) + `"}`, nil},
	{"an alias that grows", "apiVersion: v1\nentries:\n  app:\n  - name: &a \"" + strings.Repeat("x", 100_000) + "\"\n    keywords: [" + strings.Repeat("*a,", 1000) + "]\n", nil},
}

func TestAnIndexIsReadAPieceAtATime(t *testing.T) {
	for _, test := range indexes {
		t.Run(test.name, func(t *testing.T) {
			got := []Entry{}
			err := read(strings.NewReader(test.text), func(e Entry) error { got = append(got, e); return nil })
			if test.want == nil {
				if !errors.Is(err, errUnusual) {
					t.Errorf("got %v, %v, want it to be left to helm", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var errBroken = errors.New("the connection broke")

type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errBroken
	}
	return n, err
}

func TestAnIndexThatBreaksOffIsNoneAtAll(t *testing.T) {
	for _, text := range []string{"apiVersion: v1\nentries:\n  app:\n" + block(app1, 2), `{"apiVersion":"v1","entries":{"app":[`} {
		err := read(broken{strings.NewReader(text)}, func(Entry) error { return nil })
		if !errors.Is(err, errBroken) || errors.Is(err, errUnusual) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAReaderMayEndTheReading(t *testing.T) {
	for _, text := range []string{"apiVersion: v1\nentries:\n  app:\n" + block(app1, 2), `{"apiVersion":"v1","entries":{"app":[{"name":"app","version":"1.0.0"}]}}`} {
		if err := read(strings.NewReader(text), func(Entry) error { return errBroken }); !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzRead: reading any text ends, and finds what helm finds in it, a piece at a time and all at once.
func FuzzRead(f *testing.F) {
	for _, test := range indexes {
		if len(test.text) < 10_000 {
			f.Add([]byte(test.text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var pieces, whole []Entry
		switch err := read(bytes.NewReader(text), func(e Entry) error { pieces = append(pieces, e); return nil }); {
		case err == nil:
			wantAsHelm(t, "a piece at a time", text, pieces)
		case !errors.Is(err, errUnusual):
			t.Errorf("%v", err)
		}
		if err := readWhole(bytes.NewReader(text), func(e Entry) error { whole = append(whole, e); return nil }); err == nil {
			wantAsHelm(t, "all at once", text, whole)
		}
		for _, e := range append(pieces, whole...) {
			if !isVersion(e.Version) || e.Digest != digestOf(e.Digest) {
				t.Errorf("%+v", e)
			}
		}
	})
}
