package runs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

// several are more different events than are synced at the same time.
func several() []New {
	events := make([]New, 3*syncers)
	for i := range events {
		events[i] = New{hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: fmt.Appendf(nil, `{"n":%d}`, i)}, fmt.Sprint("octo/acme-", i%3)}
	}
	return events
}

func TestEventsThatComeTogetherBecomeRunsInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	syncs := 0
	s.sync = func(dir string) error { syncs++; return syncDir(dir) }
	events := several()
	created, err := s.CreateAll(events)
	must(t, err)
	if syncs != 1 {
		t.Errorf("the directory of runs was synced %d times", syncs)
	}
	found, err := open(t, dir).Unfinished() // oldest first, by name
	must(t, err)
	if diff := cmp.Diff(ids(created), ids(found)); diff != "" {
		t.Error(diff)
	}
	for i, run := range found {
		event, err := run.Event()
		must(t, err)
		if diff := cmp.Diff(events[i], New{event, created[i].Lane}); diff != "" {
			t.Errorf("run %d: %s", i, diff)
		}
	}
	entries, err := os.ReadDir(s.Dir())
	must(t, err)
	if len(entries) != len(events) {
		t.Errorf("%d entries for %d events", len(entries), len(events))
	}
}

func TestOfEventsThatComeTogetherAllAreKeptOrNone(t *testing.T) {
	for name, fails := range map[string]func(*Store, []New){
		"one cannot be written": func(_ *Store, events []New) { events[20].Event.Argument = []byte("{") },
		"one cannot get its name": func(_ *Store, events []New) {
			events[20].Lane = "octo/" + strings.Repeat("a", 60)
			events[20].Event.Callback = strings.Repeat("x", 250) // a name has 255 characters
		},
		"the disk fails": func(s *Store, _ []New) { s.sync = func(string) error { return syscall.EIO } },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, events := open(t, dir), several()
			kept := create(t, s)
			fails(s, events)
			if created, err := s.CreateAll(events); err == nil || created != nil {
				t.Errorf("got %v, %v", created, err)
			}
			wantIDs(t, open(t, dir).Unfinished, kept)
			entries, err := os.ReadDir(dir + "/runs")
			must(t, err)
			if len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

func TestTheFirstErrorOfWhatIsDoneTogetherIsTold(t *testing.T) {
	third, fifth := errors.New("third"), errors.New("fifth")
	if err := together(2*syncers, func(i int) error { return map[int]error{2: third, 4: fifth}[i] }); !errors.Is(err, third) {
		t.Errorf("got %v", err)
	}
}
