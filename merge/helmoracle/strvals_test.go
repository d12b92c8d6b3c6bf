package helmoracle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"octo-operator/merge"
)

const (
	pathCases         = 10_000
	fewestPathsAgreed = 5_000
)

// pathPieces make paths that are mostly good and meet what is in pathBase.
var pathPieces = []string{
	"a", "b", "c", "map", "list", "lists", "text", "number", "null", ".", ".", ".", "[0]", "[1]", "[2]", "[5]", "[0]", `\.`, `\\`, `\[`, `\x`, "]", " ", "ä", "x-y/z", `"`, "'", "{", "}", ",", "=",
}

var pathPiecesBad = []string{"[", "[]", "[-1]", "[x]", "[+1]", "[01]", "[1 ]", "[65537]", "[99999999999999999999]", "..", `\`, "[0", "[0]x", `[\1]`}

const pathBase = `
a: {b: {c: 1, list: [1, {a: 1}, [1, 2], null]}, text: t, "null": null}
list: [{a: {b: x}}, [0, [1]], text, null]
lists: [[{a: 1}], []]
map: {}
text: t
number: 1
"null": null
`

// TestPathIsSetAsHelmSetStringDoes checks that overrides, one after another on the same document, give what --set-string gives. The value is text
// that fits no other type, so that only paths are compared.
func TestPathIsSetAsHelmSetStringDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 20261123))
	agreed, refused := 0, 0
	exceptions := map[string]int{}
	start, err := merge.Document(merge.Input{Values: []byte(pathBase)})
	if err != nil {
		t.Fatal(err)
	}
	for range pathCases {
		ours, before := merge.Input{Values: []byte(pathBase)}, start
		for i := range 1 + r.IntN(3) {
			path := randomPath(r)
			value := fmt.Sprintf("value %d", i)
			next := ours
			next.Overrides = append(next.Overrides[:len(next.Overrides):len(next.Overrides)], merge.Override{Path: path, Value: value})
			got, err := merge.Document(next)

			want := helmValues(t, before)
			helmErr := strvals.ParseIntoString(forHelm(path)+"="+value, want)
			switch {
			case err != nil && helmErr != nil:
				refused++
			case err == nil && helmErr == nil:
				agreed++
				if diff := cmp.Diff(exact(want), exact(got.Values)); diff != "" {
					t.Errorf("path %q (-helm +ours):\n%s\n%s", path, diff, before.YAML)
				}
			default:
				name := exception(err, helmErr)
				if name == "" {
					t.Errorf("path %q: helm says %v, we say %v\n%s", path, helmErr, err, before.YAML)
				}
				exceptions[name]++
			}
			if err == nil {
				ours, before = next, got
			}
		}
	}
	t.Logf("%d paths set as helm sets them, both refuse %d more; exceptions: %v", agreed, refused, exceptions)
	if agreed < fewestPathsAgreed {
		t.Errorf("only %d paths were set by both, need %d", agreed, fewestPathsAgreed)
	}
}

// exception returns the reason why we differ from helm on purpose; "": we do not.
func exception(err, helmErr error) string {
	if helmErr != nil {
		// A layer replaces a scalar or null that stands where it has a map; helm --set fails on it with a Go panic.
		if strings.Contains(helmErr.Error(), "interface conversion: interface {} is") {
			return "scalar or null gives way"
		}
		return ""
	}
	message := err.Error()
	for _, malformed := range []string{"the path is empty", "a name is missing", "[ without ]", "index is not a number"} {
		// helm silently sets nothing for an empty name and an open bracket, and reads [+1] and [\1].
		if strings.Contains(message, malformed) {
			return "malformed: " + malformed
		}
	}
	// helm --set replaces a list inside a list by a map, and what the list held is lost.
	if strings.Contains(message, "is a list, so an index") {
		return "list inside a list is kept"
	}
	return ""
}

func helmValues(t *testing.T, r merge.Result) map[string]any {
	t.Helper()
	values, err := loader.LoadValues(bytes.NewReader(r.YAML))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// forHelm escapes what has a meaning in a --set line, but not in our paths.
func forHelm(path string) string {
	var b strings.Builder
	escaped := false
	for _, r := range path {
		if !escaped && (r == ',' || r == '=') {
			b.WriteByte('\\')
		}
		escaped = r == '\\' && !escaped
		b.WriteRune(r)
	}
	return b.String()
}

func randomPath(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	path := pick([]string{"a", "a.b", "list", "lists", "map", "text", "a.null", "null", "list[0]", "list[1]", "new", "a.b.list", ""})
	for range r.IntN(6) {
		if r.IntN(40) == 0 {
			path += pick(pathPiecesBad)
		} else {
			path += pick(pathPieces)
		}
	}
	return path
}
