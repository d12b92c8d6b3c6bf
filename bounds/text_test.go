package bounds

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONCountsWhatAParserWouldMake(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1}`:                        "",
		`[1,2,3,4]`:                      "",
		`[1,2,3,4,5,6,7,8,9]`:            "more than 8 values",
		`[[],[],[],[]]`:                  "more than 8 values",
		`{"a":"[[[[[[[[[[{{{{{{,,,,,,"}`: "",
		`{"a":"\"[[[[[[[[[[\\"}`:         "",
		`{"a":"\\","b":[[[[[[[[]]]]]]]]`: "more than 8 values",
		strings.Repeat("[", Depth+1):     "more than 8 values",
	} {
		err := JSON([]byte(text), 8)
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%s: %s", text, got)
			}
		} else if want != "" {
			t.Errorf("%s: no error", text)
		}
	}
	if err := JSON([]byte(strings.Repeat("[", Depth+1)), 1000); err == nil || !strings.Contains(err.Error(), "nested deeper than 100 levels") {
		t.Errorf("got %v", err)
	}
}

// count returns the number of values in v.
func count(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			n += count(child)
		}
	case []any:
		for _, child := range v {
			n += count(child)
		}
	}
	return n
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,2,{"b":"c\"[,"}],"d":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		if n := count(v); JSON([]byte(text), n-1) == nil {
			t.Errorf("%s has %d values", text, n)
		}
	})
}

func TestReadAllReadsUpToItsLimit(t *testing.T) {
	if text, err := ReadAll(strings.NewReader("12345"), 5); string(text) != "12345" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := ReadAll(strings.NewReader("123456"), 5); err == nil || err.Error() != "it has more than 5 bytes" {
		t.Errorf("%v", err)
	}
}
