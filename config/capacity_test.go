package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// capacities are the expected results for a memory limit in MiB, a number of cores, and OPERATOR__CONCURRENCY (0: not set).
var capacities = []struct {
	name       string
	limit      int64
	cores      float64
	setting    int
	slots      int
	most, gogc int
	warns      bool
	script     int64 // MiB that each process may have
}{
	{"no limit", 0, 2, 0, 4, 0, 400, false, 1024},
	{"no limit, half a core", 0, 0.5, 0, 2, 0, 400, false, 1024},
	{"no limit, many cores", 0, 64, 0, 8, 0, 400, false, 1024},
	{"no limit, a setting", 0, 2, 20, 20, 0, 400, false, 1024},
	{"the official chart's limits", 512, 0.5, 0, 2, 4, 400, false, 356},
	{"the official chart's limits and a setting", 512, 0.5, 5, 5, 5, 100, false, 256},
	{"an older chart's limit", 128, 0.5, 0, 1, 1, 100, false, 104},
	{"memory between both", 256, 2, 0, 2, 2, 100, false, 160},
	{"less memory than the operator itself has", 64, 2, 0, 1, 1, 100, false, 104},
	{"a setting that the memory does not bear", 512, 2, 12, 12, 12, 100, true, 256},
	{"much memory, few cores", 4096, 1, 0, 2, 38, 400, false, 3940},
}

func TestAsManyWorkAtATimeAsTheMachineBears(t *testing.T) {
	for _, test := range capacities {
		t.Run(test.name, func(t *testing.T) {
			got := (&Config{Concurrency: test.setting}).Capacity(Machine{test.limit * mebi, test.cores})
			if got.Slots != test.slots || got.Most != test.most || got.GOGC != test.gogc || (got.Warning != "") != test.warns {
				t.Errorf("got %+v, want %d slots, at most %d, GOGC %d", got, test.slots, test.most, test.gogc)
			}
			if got.ScriptMemory != test.script*mebi {
				t.Errorf("each process may have %d MiB, want %d", got.ScriptMemory/mebi, test.script)
			}
			if got.GOMemLimit == 0 != (test.limit == 0) || test.limit > 128 && !test.warns && int64(got.Most)*got.GOMemLimit > test.limit*mebi {
				t.Errorf("each may have %d bytes", got.GOMemLimit)
			}
		})
	}
}

func TestTheMemoryOfAScriptIsAsItIsSet(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "300Mi": 300 * mebi} {
		c := load(t, "OPERATOR__SCRIPTMEMORY="+text)
		for _, m := range []Machine{{Cores: 1}, {Memory: 512 * mebi, Cores: 1}} {
			if got := c.Capacity(m).ScriptMemory; got != want {
				t.Errorf("%s: got %d", text, got)
			}
		}
	}
}

func TestTheWarningSaysWhatTheMemoryBears(t *testing.T) {
	c := load(t, "OPERATOR__CONCURRENCY=12", "OPERATOR__MEMORYLIMIT=512Mi")
	got := c.Capacity(Machine{Cores: 2})
	if want := "OPERATOR__CONCURRENCY is 12, and a memory limit of 512 MiB bears 5 at a time"; !strings.HasPrefix(got.Warning, want) {
		t.Errorf("got %q, want %q", got.Warning, want)
	}
}

func TestAnAmountOfMemoryIsReadAsKubernetesWritesIt(t *testing.T) {
	for text, want := range map[string]Bytes{
		"134217728": 128 * mebi, "512Mi": 512 * mebi, "1Gi": 1024 * mebi, "64Ki": 1 << 16, "500M": 5e8, "2G": 2e9, "3k": 3000,
	} {
		if diff := cmp.Diff(want, load(t, "OPERATOR__MEMORYLIMIT="+text).MemoryLimit); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
