package runs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/hub"
)

func TestAnIDTellsTimeCallbackAndLane(t *testing.T) {
	s := open(t, t.TempDir())
	for _, test := range []struct{ callback, lane, want string }{
		{hub.WorkloadDeployedCallback, "octo/acme-demo", "workload-deployed-acme-demo"},
		{hub.PreUpdateTenant, "tenant/acme", "pre-update-tenant-acme"},
		{hub.PoolUndeployed, "../../Etc/pass wd\x00", "pool-undeployed-passwd"},
		{hub.PoolDeployed, strings.Repeat("a", 300), "pool-deployed-" + strings.Repeat("a", 60)},
	} {
		run, err := s.Create(hub.Event{Callback: test.callback}, test.lane)
		must(t, err)
		want := regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}Z-` + regexp.QuoteMeta(test.want) + `-[0-9a-f]{6}$`)
		if !want.MatchString(run.ID) {
			t.Errorf("got %s, want time-%s-short", run.ID, test.want)
		}
		if run.Dir != filepath.Join(s.Dir(), run.ID) || run.Lane != test.lane || run.Callback != test.callback {
			t.Errorf("got %+v", run)
		}
	}
}

func TestIDsSortInTheOrderOfCreationEvenInATightLoop(t *testing.T) {
	s := open(t, t.TempDir())
	var created []string
	for range 5000 {
		created = append(created, s.newID(hub.WorkloadDeployedCallback, "octo/acme"))
	}
	if !slices.IsSorted(created) || len(slices.Compact(slices.Clone(created))) != len(created) {
		t.Error("the ids are out of order or repeat")
	}
	s.last = time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond) // the clock was set back
	before := s.newID(hub.WorkloadDeployedCallback, "octo/acme")
	if after := s.newID(hub.WorkloadDeployedCallback, "octo/acme"); after <= before || before <= created[len(created)-1] {
		t.Errorf("%s does not follow %s", after, before)
	}
}

func TestAnEventOfALaterLifeSortsBehindTheRunsOnDiskEvenIfTheClockWentBack(t *testing.T) {
	now := time.Now().UTC()
	hours := func(n int) string { return now.Add(time.Duration(n) * time.Hour).Format(idTime) }
	for name, test := range map[string]struct {
		onDisk []string
		behind string // "": the clock counts
	}{
		"an empty disk":                 {},
		"the clock goes right":          {onDisk: []string{hours(-2), hours(-1)}},
		"the clock went back":           {onDisk: []string{hours(-1), hours(2), hours(3)}, behind: hours(3)},
		"what is no run does not count": {onDisk: []string{hours(3), "9999", "lost+found"}, behind: hours(3)},
		"far in the future":             {onDisk: []string{"99981231T235959.999999Z"}, behind: "99981231T235959.999999Z"},
		"behind which no time fits":     {onDisk: []string{hours(3), "99991231T235959.999999Z"}, behind: hours(3)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, at := range test.onDisk {
				must(t, os.MkdirAll(filepath.Join(dir, "runs", at+"-workload-deployed-acme-abcdef"), 0o700))
			}
			s := open(t, dir)
			first, second := create(t, s), create(t, s)
			if !validID.MatchString(first.ID) || first.ID <= test.behind || second.ID <= first.ID {
				t.Errorf("got %s and %s behind %q", first.ID, second.ID, test.behind)
			}
			if past := time.Since(first.Created()); test.behind == "" && (past < 0 || past > time.Minute) {
				t.Errorf("got %s, which is %s off", first.ID, past)
			}
		})
	}
}
