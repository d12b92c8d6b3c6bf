package handlers

import (
	"strconv"
	"testing"
	"time"
)

func TestOnlyAProvablyOrphanedRevisionIsCleared(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 500, time.UTC)
	r := release{"acme-shop", "octo"}
	ago := func(d time.Duration) string { return strconv.FormatInt(now.Add(-d).Unix(), 10) }
	for _, test := range []struct {
		name   string
		labels map[string]string
		died   *window
		secret string
		err    bool
	}{
		{"no release", nil, nil, "", false},
		{"deployed", map[string]string{"status": "deployed", "version": "3", "createdAt": ago(time.Hour)}, nil, "", false},
		{"pending and old", map[string]string{"status": "pending-upgrade", "version": "3", "createdAt": ago(11 * time.Minute)}, nil, "sh.helm.release.v1.acme-shop.v3", false},
		{"pending and young: its helm may live", map[string]string{"status": "pending-install", "version": "1", "createdAt": ago(time.Minute)}, nil, "", true},
		{"pending since a helm of ours died", map[string]string{"status": "pending-rollback", "version": "4", "createdAt": ago(time.Hour), "modifiedAt": ago(time.Minute)},
			&window{now.Add(-61 * time.Second), now.Add(-30 * time.Second)}, "sh.helm.release.v1.acme-shop.v4", false},
		{"pending, begun after a helm of ours died", map[string]string{"status": "pending-upgrade", "version": "4", "createdAt": ago(time.Minute)},
			&window{now.Add(-3 * time.Minute), now.Add(-2 * time.Minute)}, "", true},
	} {
		h := &Handlers{}
		if test.died != nil {
			h.deaths.add(r.lane(), *test.died)
		}
		secret, err := h.staleRevision(r, test.labels, now)
		if secret != test.secret || (err != nil) != test.err {
			t.Errorf("%s: %q, %v", test.name, secret, err)
		}
	}
}
