package kube

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzReadiness checks that any object is ready or waits for something, and that fields whose names begin with a capital letter have no effect.
func FuzzReadiness(f *testing.F) {
	for _, seed := range []string{
		object(`"replicas":2,"progressDeadlineSeconds":600`, `"replicas":2,`+conditions(cond("Progressing", "False", "ProgressDeadlineExceeded", "timed out"))),
		object("", conditions(cond("Ready", "False", "Waits", "for a node"), cond("Stalled", "True", "", ""))),
		object("", conditions(cond("Reconciling", "True", "", ""))),
		`{"metadata":{"generation":1},"spec":{"replicas":"many","selector":"x"},"status":{"phase":{},"conditions":"none","replicas":[]}}`,
		`{"status":{"conditions":[null,{"type":"Ready","status":"False"},5]}}`, `[{"type":"Ready","status":"False"}]`, `"Ready"`, `1`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := readLive([]byte(text))
		if (err == nil) != json.Valid([]byte(text)) {
			t.Fatalf("error %v", err)
		}
		for _, kind := range append(slices.Sorted(maps.Keys(rules)), "example.com/Thing") {
			if p := progressOf(kind, o, noon); p.final && p.waiting == "" {
				t.Errorf("a %s is ready and will never be: %+v", kind, p)
			}
		}
		if err != nil || len(text) > 4<<10 { // encoding/json takes no more than 10,000 levels
			return
		}
		o, err = readLive([]byte(strings.ReplaceAll(`{"metadata":{"generation":2},"status":{"Conditions":V,"ObservedGeneration":V,"conditions":[{"TYPE":V,"Status":V}]}}`, "V", text)))
		if p := progressOf("example.com/Thing", o, noon); err != nil || p != ready {
			t.Errorf("error %v, progress %+v", err, p)
		}
	})
}
