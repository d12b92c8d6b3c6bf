package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// asked makes a job from a few letters: d a deploy, r a reconciliation, u an undeploy, s a scaling, o another; then, for deploys,
// what it asks for and, after a colon, the chart's version: "d1:2.0", "r1". D is a deploy that an earlier life has begun.
func asked(name string) *Job {
	j := &Job{Kind: map[byte]Kind{'d': Deploy, 'D': Deploy, 'r': Deploy, 'u': Undeploy, 's': Scale, 'o': Other}[name[0]], MayHaveChanged: name[0] == 'D'}
	says, version := name[1:], ""
	for i, letter := range says {
		if letter == ':' {
			says, version = says[:i], says[i+1:]
			break
		}
	}
	j.Asks = Ask{Reconciliation: name[0] == 'r', Says: says, Version: version}
	return j
}

func TestALanesQueueLeadsToWhatWasAskedForLast(t *testing.T) {
	for _, test := range []struct {
		why     string
		running string
		added   []string
		want    []string
	}{
		{"a reconciliation does not replace a user's deploy", "", []string{"d1:2.0", "r2:1.0"}, []string{"d1:2.0", "r2:1.0"}},
		{"one without a version says the same as any version", "", []string{"d1:2.0", "r1"}, []string{"d1:2.0"}},
		{"one that is queued already is dropped", "", []string{"d1:2.0", "r1:2.0"}, []string{"d1:2.0"}},
		{"one that runs already is dropped", "d1:2.0", []string{"r1"}, nil},
		{"one that runs with other values is not", "d1:2.0", []string{"r2"}, []string{"r2"}},
		{"one after a newer deploy than the running one is not", "d1", []string{"d2", "r1"}, []string{"d2", "r1"}},
		{"one after an undeploy is not", "d1", []string{"u", "r1"}, []string{"u", "r1"}},
		{"one behind a scaling is dropped", "d1", []string{"s", "r1"}, []string{"s"}},
		{"a deploy replaces a queued reconciliation", "", []string{"r1", "d1"}, []string{"d1"}},
		{"a reconciliation replaces an older one", "", []string{"r1", "r2"}, []string{"r2"}},
		{"and not the user's before it", "", []string{"d1:2.0", "r2", "r3"}, []string{"d1:2.0", "r3"}},
		{"a user's deploy that says what a reconciliation does is his all the same", "r1", []string{"d1"}, []string{"d1"}},
		{"what cannot be read is never the same", "d", []string{"r"}, []string{"r"}},

		{"a fresh release is deployed before it is scaled", "", []string{"d1", "s1", "d2"}, []string{"d1", "s1", "d2"}},
		{"the newest scaling counts", "", []string{"d1", "s1", "d2", "s2"}, []string{"d2", "s2"}},
		{"a queue does not grow", "", []string{"d1", "s1", "d2", "s2", "d3", "s3", "d4"}, []string{"d3", "s3", "d4"}},
		{"an undeploy ends them all", "", []string{"d1", "s1", "d2", "r3", "u"}, []string{"u"}},
		{"a deploy after an undeploy leaves it alone", "", []string{"u", "d1", "d2", "u", "d3"}, []string{"u", "d3"}},
		{"what was begun is brought to its end first", "", []string{"D1", "d2", "d3"}, []string{"D1", "d3"}},
		{"but not before an undeploy", "", []string{"D1", "d2", "u"}, []string{"u"}},
		{"others are never superseded", "", []string{"o1", "o2", "u"}, []string{"o1", "o2", "u"}},
	} {
		t.Run(test.why, func(t *testing.T) {
			var running *Job
			if test.running != "" {
				running = asked(test.running)
			}
			names := map[*Job]string{}
			var queue []*Job
			ended := 0
			for _, name := range test.added {
				j := asked(name)
				names[j] = name
				var gone []superseded
				queue, gone = arrange(running, queue, j)
				ended += len(gone)
			}
			var got []string
			for _, j := range queue {
				got = append(got, names[j])
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v: left %v, want %v", test.added, got, test.want)
			}
			if ended+len(queue) != len(test.added) {
				t.Errorf("%d queued and %d ended of %d: one was lost or ended twice", len(queue), ended, len(test.added))
			}
		})
	}
}

func TestWhatRunsMakesWayOnlyForAUser(t *testing.T) {
	for _, test := range []struct {
		newer, running string
		parked         bool
		want           error
	}{
		{"u", "d1", false, ErrUndeployed},
		{"u", "d1", true, ErrUndeployed},
		{"u", "r1", false, ErrUndeployed},
		{"u", "s1", false, nil},
		{"d2", "d1", false, nil},
		{"d2", "d1", true, ErrSuperseded},
		{"r2", "d1", true, nil},
		{"d2", "r1", true, ErrSuperseded},
		{"s1", "d1", true, nil},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			if got := preempts(asked(test.newer), asked(test.running), test.parked); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	pool := func(name string) *Job { j := asked(name); j.Pool = true; return j }
	for _, test := range []struct {
		newer, running string
		parked         bool
		want           error
	}{
		{"u", "d1", false, ErrPoolUndeployed},
		{"u", "d1", true, ErrPoolUndeployed},
		{"d2", "d1", false, nil},
		{"d2", "d1", true, ErrSuperseded},
		{"d2", "u", false, nil},
		{"d2", "u", true, ErrSuperseded}, // it may be tried forever
		{"u", "u", true, ErrSuperseded},
	} {
		t.Run(fmt.Sprint("of a pool ", test), func(t *testing.T) {
			if got := preempts(pool(test.newer), pool(test.running), test.parked); !errors.Is(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if preempts(asked("u"), nil, false) != nil {
		t.Error("nothing runs, and it is stopped")
	}
}
