package repository

import "testing"

// choices are the versions that helm chooses.
var choices = []struct {
	asked   string
	offered []string
	want    string // "": none
	exact   bool
}{
	{"", []string{"1.0.0", "1.10.0", "1.9.0"}, "1.10.0", false},
	{"", []string{"1.0.0", "2.0.0-beta.1"}, "1.0.0", false},
	{"", []string{"2.0.0-beta.1"}, "", false},
	{"2.0.0-beta.1", []string{"1.0.0", "2.0.0-beta.1"}, "2.0.0-beta.1", true},
	{"1.0.0", []string{"1.0.0", "1.0.0+build"}, "1.0.0", true},
	{"1.0.0", []string{"v1.0.0"}, "v1.0.0", false},
	{"v1.0.0", []string{"1.0.0"}, "1.0.0", false},
	{"1.x", []string{"0.9.0", "1.2.0", "1.3.0-rc.1", "2.0.0"}, "1.2.0", false},
	{"^1.2", []string{"1.1.0", "1.2.5", "1.9.0", "2.0.0"}, "1.9.0", false},
	{"~1.2", []string{"1.2.5", "1.9.0"}, "1.2.5", false},
	{">1.0.0-0", []string{"1.0.0", "1.1.0-rc.1"}, "1.1.0-rc.1", false},
	{"1.2", []string{"1.2.0", "1.2.7", "1.3.0"}, "1.2.7", false},
	{"1.2", []string{"1.2", "1.2.7"}, "1.2", true},
	{"3.0.0", []string{"1.0.0"}, "", false},
	{"newest", []string{"1.0.0", "newest"}, "", false},
}

func TestTheVersionIsTheOneThatHelmTakes(t *testing.T) {
	for _, test := range choices {
		c := newChoice(test.asked)
		for _, version := range test.offered {
			c.offer(Entry{Version: version})
		}
		if c.found.Version != test.want || c.exact != test.exact || c.ok() != (test.want != "") {
			t.Errorf("%q of %q: got %q, exact %v", test.asked, test.offered, c.found.Version, c.exact)
		}
	}
}
