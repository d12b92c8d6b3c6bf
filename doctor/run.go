package doctor

import (
	"context"
	"fmt"
	"time"

	"octo-operator/exec"
)

const (
	// checkTime bounds a check.
	checkTime = 5 * time.Second
	// answerTime is how long a check may take, after its time is over, to say what did not answer.
	answerTime = time.Second
	// atATime is how many checks run at the same time. Most of them wait for the network.
	atATime = 6
	// wholeTime bounds all checks together: those that have not begun by then are left out. They need less, unless everything hangs.
	wholeTime = 18 * time.Second
)

// check examines one topic.
type check struct {
	name    string
	cluster bool // it needs the API server
	look    func(*examination, context.Context) []Finding
	late    string // what to do if it does not end in time
}

// run makes the checks at the same time, but those that need the cluster after the check that finds it.
func (x *examination) run(ctx context.Context, checks []check, show func(Finding)) (all Report) {
	ctx, cancel := context.WithTimeoutCause(ctx, wholeTime, fmt.Errorf("no time was left: all checks together may take %s", wholeTime))
	defer cancel()
	secrets := exec.NewRedactor(x.Settings.Secrets()...)
	slots := make(chan struct{}, atATime)
	clusterThere := make(chan bool, 1)
	thereKnown := make(chan struct{})
	there := false
	go func() { there = <-clusterThere; close(thereKnown) }()
	found := make([]chan []Finding, len(checks))
	for i, c := range checks {
		found[i] = make(chan []Finding, 1)
		go func() {
			if c.cluster {
				<-thereKnown
			}
			if c.cluster && !there {
				found[i] <- []Finding{{Mark: Skip, Check: c.name, Found: "not looked at: there is no cluster to ask"}}
				return
			}
			slots <- struct{}{}
			result := x.within(ctx, c)
			<-slots
			if c.name == clusterCheck {
				clusterThere <- result[0].Mark != Fail
			}
			found[i] <- result
		}()
	}
	for i := range checks {
		for _, f := range <-found[i] {
			f.Found, f.Do = secrets.String(f.Found), secrets.String(f.Do)
			all.add(f)
			if show != nil {
				show(f)
			}
		}
	}
	return all
}

// within makes a check and returns in time, whatever the check waits for. A check that does not end is abandoned: the program ends soon.
func (x *examination) within(ctx context.Context, c check) []Finding {
	if ctx.Err() != nil {
		return []Finding{found(Warn, c.name, "not looked at: %v", context.Cause(ctx)).todo("%s", c.late)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, x.limit, fmt.Errorf("no answer within %s", x.limit))
	defer cancel()
	result := make(chan []Finding, 1)
	go func() { result <- c.look(x, ctx) }()
	select {
	case f := <-result:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-result:
		return f
	case <-time.After(answerTime):
		return []Finding{found(Fail, c.name, "%v", context.Cause(ctx)).todo("%s", c.late)}
	}
}

// because returns an error for people: after a timeout it says how long that was.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
