package journal

import (
	"context"
	"log/slog"
	"testing"
)

func TestTheLeaseSaysSinceWhenItsHolderLeads(t *testing.T) {
	api := newAPI()
	o := LeaderOptions{Identity: "aaaaaaaaaaaa", Host: "pod_1", Controller: "https://controller.example", Namespace: "octo"}
	h, err := ReadHolder(t.Context(), api, o.Namespace, o.Controller)
	if err != nil || h.Name != "" || h.Lease == "" {
		t.Fatalf("before anybody leads: %+v, %v", h, err)
	}
	lead := func(o LeaderOptions) *Leader {
		t.Helper()
		l := NewLeader(api, o, slog.New(slog.DiscardHandler))
		if _, err := l.Lead(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := lead(o)
	acquired := read(t, api, o)
	if acquired.Name != "pod_1" || acquired.Identity != o.Identity || acquired.Acquired.IsZero() || acquired.Valid != leaseDuration || acquired.GivenUp {
		t.Errorf("while it leads: %+v", acquired)
	}
	if err := first.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if renewed := read(t, api, o); !renewed.Acquired.Equal(acquired.Acquired) || renewed.Renewed.Before(acquired.Renewed) {
		t.Errorf("after a renewal: %+v, before: %+v", renewed, acquired)
	}
	first.Release(t.Context())
	if given := read(t, api, o); !given.GivenUp || given.Identity != o.Identity {
		t.Errorf("after its end: %+v", given)
	}
	o.Identity, o.Host = "bbbbbbbbbbbb", "pod-2"
	lead(o)
	if next := read(t, api, o); next.Name != "pod-2" || !next.Acquired.After(acquired.Acquired) || next.GivenUp {
		t.Errorf("the next one: %+v", next)
	}
}

func read(t *testing.T, api API, o LeaderOptions) Holder {
	t.Helper()
	h, err := ReadHolder(t.Context(), api, o.Namespace, o.Controller)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
