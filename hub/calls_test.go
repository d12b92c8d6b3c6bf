package hub

import (
	"context"
	"io"
	"strconv"
	"sync"
	"testing"

	"octo-operator/dev/devcontroller"
)

// The library's own calls were a data race here now and then, and would have been "send on closed channel" in the worst case.
func TestAnAnswerThatComesWhileTheConnectionEndsDoesNoHarm(t *testing.T) {
	t.Parallel()
	controller := startController(t, devcontroller.Options{})
	for range 50 {
		ctx := testContext(t)
		called := make(chan struct{})
		controller.OnInvoke("UnregisterPoolAsync", func(devcontroller.Call) (any, error) {
			close(called)
			return "an answer", nil
		})
		operator := newOperator(t, controller.URL())
		stop := operator.start()
		operator.untilRegistered(ctx, t)
		operator.Report(Report{Method: methodUnregister, Arguments: []any{tenant, poolID}})
		receive(ctx, t, called, "the call")
		stop()
	}
}

func TestEachOfManyCallsAtTheSameTimeGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	ctx, controller, operator := startWithPool(t)
	controller.OnInvoke(methodUnregister, func(call devcontroller.Call) (any, error) {
		var id string
		err := call.Arg(1, &id)
		return id, err
	})
	var calling sync.WaitGroup
	for i := range 20 {
		calling.Go(func() {
			for k := range 50 {
				want := rtID24(50*i + k)
				if got, err := operator.current().invoke(ctx, methodUnregister, tenant, want); err != nil || got != want {
					t.Errorf("got %v %v, want %s", got, err, want)
				}
			}
		})
	}
	calling.Wait()
	wantUnbroken(t, controller)
}

func TestACallThatNobodyAnswersEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, controller, operator := startWithPool(t)
	blocked, unblock := context.WithCancel(testContext(t))
	defer unblock()
	ctx, giveUp := context.WithCancel(testContext(t))
	controller.OnInvoke(methodUnregister, func(devcontroller.Call) (any, error) {
		giveUp()
		<-blocked.Done()
		return "too late", nil
	})
	if _, err := operator.current().invoke(ctx, methodUnregister, tenant, poolID); err == nil {
		t.Fatal("it has ended without an answer and without an error")
	}
	unblock()
	if _, err := operator.current().invoke(testContext(t), "Unknown"); !unsupported(err) {
		t.Errorf("the connection is of no use after an answer that came too late: %v", err)
	}
	wantUnbroken(t, controller)
}

// If its answer were lost, it would be made again over the next connection.
func TestACallThatIsAnsweredAsTheLastThingOnAConnectionIsAnswered(t *testing.T) {
	c := &connection{ended: make(chan struct{}), err: io.EOF}
	close(c.ended)
	for range 100 {
		_, answer := c.calls.add()
		c.completed(strconv.FormatInt(c.calls.last.Load(), 10), []byte(`{"type":3,"result":7}`))
		if got, err := c.await(t.Context(), "Register", answer); err != nil || got != 7.0 {
			t.Fatalf("got %v, %v", got, err)
		}
	}
}
