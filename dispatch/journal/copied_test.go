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
)

// hangingAPI does not answer a request until it is released, or the request's context ends.
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

func TestWaitingForACopyEndsWithItsContextWhileOthersWaitForAnAPIServerThatHangs(t *testing.T) {
	for name, others := range map[string]int{"in the same lane": 1, "with all that may write at the same time": writers} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &hangingAPI{newAPI(), make(chan struct{}, 100), make(chan struct{})}
				p := newPod(t, api)
				lanes := make([]Lane, others)
				var writing sync.WaitGroup
				for i := range lanes {
					lanes[i] = Lane{fmt.Sprintf("octo/%d", i), "octo"}
					p.accept(lanes[i], i)
					own := p.known(lanes[i].Name)
					writing.Go(func() { _ = p.write(context.Background(), own) })
					<-api.hangs
				}
				waited := lanes[0]
				if others > 1 {
					waited = Lane{"octo/another", "octo"}
					p.accept(waited, others)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				if err := p.Copied(ctx, waited.Name); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it ended with %v", err)
				}
				if waited := time.Since(began); waited != time.Second {
					t.Errorf("it has waited for %v", waited)
				}
				close(api.released)
				writing.Wait()
			})
		})
	}
}

func TestAConflictThatStaysIsMetWithPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPI()
		p := newPod(t, api)
		conflicts := 0
		api.refuse = func(method, path string) error {
			if method != "POST" || !strings.HasSuffix(path, "/secrets") {
				return nil
			}
			conflicts++
			return refused(409)
		}
		p.accept(laneA, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Copied(ctx, laneA.Name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if conflicts < 5 || conflicts > 60 {
			t.Errorf("%d requests within a minute", conflicts)
		}
	})
}

func TestWhatIsHandedOverWhileItsLaneIsDoneWithIsNotForgottenWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newAPI()
		p, other := newPod(t, api).load(), newPod(t, api)
		done := p.accept(laneA, 1)
		p.copied(laneA)
		run := other.create(laneA, 2)
		if err := other.HandOver(t.Context(), laneA, run, nil); err != nil {
			t.Fatal(err)
		}
		hanging := &hangingAPI{api, make(chan struct{}, 100), make(chan struct{})}
		p.api = hanging
		p.Finished(laneA, done.ID)
		own := p.known(laneA.Name)
		go func() { _ = p.write(context.Background(), own) }()
		<-hanging.hangs // the lane's Secret is being deleted
		go func() { _ = p.take(t.Context()) }()
		synctest.Wait()
		close(hanging.released)
		synctest.Wait()
		p.copyAll()
		want(t, "found", p.found, run.ID)
		want(t, "in the cluster", api.secrets(), run.ID)
		p.Finished(laneA, run.ID)
		p.copyAll()
		want(t, "in the end", api.secrets())
	})
}
