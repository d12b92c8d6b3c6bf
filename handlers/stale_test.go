package handlers

import (
	"testing"
	"time"
)

func TestOnlyAProvablyOrphanedRevisionIsCleared(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 500, time.UTC)
	r := release{"acme-shop", "octo", "acme-shop"}
	for _, test := range []struct {
		name  string
		began time.Time
		died  *window
		free  bool
	}{
		{"old", now.Add(-11 * time.Minute), nil, true},
		{"young: its helm may live", now.Add(-time.Minute), nil, false},
		{"begun while a helm of ours worked that is dead", now.Add(-time.Minute).Truncate(time.Second), &window{now.Add(-time.Minute), now.Add(-30 * time.Second)}, true},
		{"begun after a helm of ours died", now.Add(-time.Minute), &window{now.Add(-3 * time.Minute), now.Add(-2 * time.Minute)}, false},
		{"begun before a helm of ours that died: somebody else's", now.Add(-4 * time.Minute), &window{now.Add(-3 * time.Minute), now.Add(-2 * time.Minute)}, false},
	} {
		h := &Handlers{}
		if test.died != nil {
			h.deaths.add(r.lane(), *test.died)
		}
		if err := h.orphaned(r, "pending-upgrade", test.began, now); (err == nil) != test.free {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
