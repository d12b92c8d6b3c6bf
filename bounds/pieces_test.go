package bounds

import (
	"errors"
	"strings"
	"testing"
)

func TestPiecesHoldOneValueAtATime(t *testing.T) {
	const size = 100
	long := strings.Repeat("x", 2*size)
	for _, test := range []struct{ name, text, want string }{
		{"many values that fit", `{"skipped":[` + strings.Repeat(`"some text",`, 10*size) + `{"a":[]}],"list":[` + strings.Repeat(`"some text",`, 10*size) + `"end"]}`, ""},
		{"nothing", `{"skipped":null,"list":null}`, ""},
		{"null", `null`, ""},
		{"a long value that is skipped", `{"skipped":["` + long + `"]}`, "a value in it has more than 100 bytes"},
		{"a long element", `{"list":["` + long + `"]}`, "a value in it has more than 100 bytes"},
		{"a long name", `{"` + long + `":1}`, "a value in it has more than 100 bytes"},
		{"another value", `["a"]`, "it is not a JSON object"},
		{"another value in it", `{"list":{}}`, "it is not a JSON list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := NewPieces(strings.NewReader(test.text), size)
			last := "end"
			err := p.Fields(func(name string) error {
				if name != "list" {
					return p.Skip()
				}
				return p.Items(func() error { return p.Decode(&last) })
			})
			switch {
			case test.want == "" && (err != nil || last != "end"):
				t.Errorf("%v, the last element is %q", err, last)
			case test.want != "" && (!errors.Is(err, ErrPieces) || err.Error() != test.want):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestPiecesEndWithTheCallersError(t *testing.T) {
	stop := errors.New("stop")
	p := NewPieces(strings.NewReader(`{"a":[1]}`), 100)
	if err := p.Fields(func(string) error { return p.Items(func() error { return stop }) }); !errors.Is(err, stop) || errors.Is(err, ErrPieces) {
		t.Errorf("got %v", err)
	}
	p = NewPieces(strings.NewReader(`{"a":[1`), 100)
	if err := p.Fields(func(string) error { return p.Skip() }); err == nil || errors.Is(err, ErrPieces) {
		t.Errorf("got %v", err)
	}
}
