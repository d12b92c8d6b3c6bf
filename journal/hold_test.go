package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/kube"
)

// hangingAPI takes requests and answers none before it is released, or the request is given up.
type hangingAPI struct {
	*fakeAPI
	hangs    chan struct{} // gets a value for each request
	released chan struct{}
}

func (h *hangingAPI) Do(ctx context.Context, method, path string, body, into any) error {
	h.hangs <- struct{}{}
	select {
	case <-h.released:
	case <-ctx.Done():
		return ctx.Err()
	}
	return h.fakeAPI.Do(ctx, method, path, body, into)
}

func TestHoldEndsWithItsContextWhileOthersWaitForAnAPIServerThatHangs(t *testing.T) {
	for name, others := range map[string]int{"in the same lane": 1, "with all that may write at the same time": writers} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t, newAPI(), "111111111111")
			api := &hangingAPI{p.api.(*fakeAPI), make(chan struct{}, 100), make(chan struct{})}
			p.api = api
			lanes := make([]Lane, others)
			var writing sync.WaitGroup
			for i := range lanes {
				lanes[i] = Lane{fmt.Sprintf("octo/%d", i), "octo"}
				p.accept(lanes[i], i)
				own := p.lanes[lanes[i].Name]
				writing.Go(func() { _, _ = p.write(context.Background(), own, false) })
				<-api.hangs
			}
			held := lanes[0]
			if others > 1 {
				held = Lane{"octo/another", "octo"}
				p.accept(held, others)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			ended := make(chan error, 1)
			go func() { _, err := p.Hold(ctx, held.Name); ended <- err }()
			select {
			case err := <-ended:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it waits although its context has ended")
			}
			close(api.released)
			writing.Wait()
		})
	}
}

// conflictingAPI answers every new Secret with a conflict; to end a test that would not end, not for ever.
type conflictingAPI struct {
	*fakeAPI
	conflicts int
}

func (c *conflictingAPI) Do(ctx context.Context, method, path string, body, into any) error {
	if method != "POST" || !strings.HasSuffix(path, "/secrets") {
		return c.fakeAPI.Do(ctx, method, path, body, into)
	}
	if c.conflicts++; c.conflicts > 1000 {
		return &kube.StatusError{Code: 403, Reason: "Forbidden"}
	}
	return &kube.StatusError{Code: 409, Reason: "AlreadyExists"}
}

func TestAConflictThatStaysIsMetWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPod(t, newAPI(), "111111111111")
		api := &conflictingAPI{fakeAPI: p.api.(*fakeAPI)}
		p.api = api
		p.accept(laneA, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.Hold(ctx, laneA.Name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if api.conflicts < 5 || api.conflicts > 60 {
			t.Errorf("%d requests within a minute", api.conflicts)
		}
	})
}
