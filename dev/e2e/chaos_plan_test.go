package e2e

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// plan is everything that a chaos run does. It is drawn in advance: the same seed does the same.
type plan struct {
	Seed    uint64
	Standby bool // two operators run all the time
	Steps   []step
	Last    []event // a deploy of each release when nothing is broken any more: none may be stuck
}

// step sends events, waits, and injects a fault.
type step struct {
	Events []event
	Fault  fault
}

// event is one callback. The numbers of all events are ascending and part of the workload's name, so that each report, run directory and
// trace line shows its event.
type event struct {
	Number   int
	Kind     eventKind
	Release  int
	Version  string        // of the chart, for a deploy; empty: the newest
	Replicas int           // for a scaling
	Pause    time.Duration // wait before it is sent
	Again    bool          // sent again by the controller itself, as a reconciliation
}

type eventKind string

const (
	deploy    eventKind = "deploy"
	badDeploy eventKind = "bad deploy"        // refused by helm or the API server in the dry run
	hang      eventKind = "deploy that hangs" // its pods are never ready
	undeploy  eventKind = "undeploy"
	scale     eventKind = "scale"
	preUpdate eventKind = "update of the tenant"
)

// deploys tells whether the event gets a status, and is sent again by the controller until it has one.
func (k eventKind) deploys() bool { return k == deploy || k == badDeploy || k == hang }

type fault struct {
	Kind   faultKind
	After  time.Duration // since the step's last event was sent
	For    time.Duration // how long a part stays away, or lives
	Events []event       // sent meanwhile; for a new operator, when it has started with an empty disk
}

type faultKind string

const (
	killed      faultKind = "operator killed"
	killedTwice faultKind = "operator killed, and again while it starts"
	nodeDied    faultKind = "node died: all its processes killed, new empty disk"
	terminated  faultKind = "operator terminated"
	replaced    faultKind = "pod replaced: operator terminated, new empty disk"
	rolled      faultKind = "rolling update: another operator first"
	cutOff      faultKind = "operator cut off from the API server"
	helmKilled  faultKind = "helm killed"
	dropped     faultKind = "connections dropped"
	restarted   faultKind = "controller restarted"
	warmingUp   faultKind = "controller restarted, and rejects reports and registrations"
	rejecting   faultKind = "controller rejects reports and registrations"
	refusing    faultKind = "repository refuses connections"
	unavailable faultKind = "repository answers 503"
	slow        faultKind = "repository is slow"
	apiKilled   faultKind = "API server killed"
	apiAway     faultKind = "API server away"
	etcdKilled  faultKind = "etcd killed"
)

// faultKinds are all faults, in the order in which they are reported.
var faultKinds = []faultKind{
	killed, killedTwice, nodeDied, terminated, replaced, rolled, cutOff, helmKilled, dropped, restarted, warmingUp, rejecting,
	refusing, unavailable, slow, apiKilled, apiAway, etcdKilled,
}

const (
	releases     = 6
	hanging      = 4 // further releases, of another tenant: as many as the operator has slots
	maxReplicas  = 4
	longestPause = 300 * time.Millisecond
	longestAfter = 1500 * time.Millisecond
)

// lifetimes are the bounds between which For is drawn.
var lifetimes = map[faultKind][2]time.Duration{
	killedTwice: {0, 400 * time.Millisecond},          // a start takes about that long
	nodeDied:    {16 * time.Second, 20 * time.Second}, // a dead operator is replaced after 15 s: until then nobody takes events
	cutOff:      {2 * time.Second, 20 * time.Second},  // after 12 s another one leads
	rolled:      {0, time.Second},
	restarted:   {0, 1500 * time.Millisecond},
	warmingUp:   {time.Second, 5 * time.Second},
	rejecting:   {2 * time.Second, 8 * time.Second},
	refusing:    {2 * time.Second, 6 * time.Second},
	unavailable: {2 * time.Second, 6 * time.Second},
	slow:        {2 * time.Second, 6 * time.Second},
	apiAway:     {2 * time.Second, 5 * time.Second},
}

// faultsFor are the faults of a run with so many kills of the operator. Their numbers are fixed and not random, so that a short run has
// every kind too. The control plane is not broken if other tests use it.
func faultsFor(kills int, controlPlane bool) (deck []faultKind) {
	add := func(count int, kind faultKind) {
		for range max(1, count) {
			deck = append(deck, kind)
		}
	}
	add(kills/20, nodeDied)
	add(kills/3, killedTwice)
	add(kills-max(1, kills/20)-2*max(1, kills/3), killed)
	for _, kind := range []faultKind{helmKilled, dropped} {
		add(kills/14, kind)
	}
	for _, kind := range []faultKind{terminated, replaced, rolled, cutOff, restarted, warmingUp, rejecting} {
		add(kills/20, kind)
	}
	for _, kind := range []faultKind{refusing, unavailable, slow} {
		add(kills/25, kind)
	}
	if controlPlane {
		add(kills/20, apiKilled)
		add(kills/25, apiAway)
		add(kills/33, etcdKilled)
	}
	return deck
}

// drawPlan draws a plan with so many kills.
func drawPlan(seed uint64, kills int, controlPlane bool) plan {
	d := drawer{rand: rand.New(rand.NewPCG(seed, 0))}
	deck := faultsFor(kills, controlPlane)
	d.rand.Shuffle(len(deck), func(i, k int) { deck[i], deck[k] = deck[k], deck[i] })
	hangs := d.hangs(len(deck), 1+kills/40)
	p := plan{Seed: seed, Standby: seed%2 == 1}
	for i, kind := range deck {
		p.Steps = append(p.Steps, d.step(kind, hangs[i]))
	}
	for i := range releases + hanging {
		e := event{Number: d.number + 1 + i, Kind: undeploy, Release: i}
		if i < releases {
			e.Kind, e.Version = deploy, chartVersions[i%len(chartVersions)]
		}
		p.Last = append(p.Last, e)
	}
	return p
}

// hangs chooses the steps in which the other tenant's releases are deployed, deployed so that they hang, and undeployed, in so many
// rounds. In the last of several rounds there is no undeploy: the deploys fail when helm's timeout is over.
func (d *drawer) hangs(steps, rounds int) map[int]eventKind {
	kinds := map[int]eventKind{}
	length := steps / rounds
	for round := range rounds {
		first := round*length + d.rand.IntN(length/4)
		kinds[first] = deploy
		kinds[first+2] = hang
		if gone := round*length + length/2 + d.rand.IntN(length/2); rounds == 1 || round+1 < rounds {
			kinds[gone] = undeploy
		}
	}
	return kinds
}

type drawer struct {
	rand   *rand.Rand
	number int
}

// step draws a step with a fault. hangs is the event for the other tenant's releases in it; "": none.
func (d *drawer) step(kind faultKind, hangs eventKind) step {
	var s step
	for i := range hanging {
		if hangs != "" && (hangs != deploy || i%2 == 0) { // only half of the releases have a deploy to roll back to
			e := d.event(hangs)
			e.Release = releases + i
			s.Events = append(s.Events, e)
		}
	}
	s.Events = append(s.Events, d.events(1+d.rand.IntN(4))...)
	s.Fault = fault{Kind: kind, After: d.duration(0, longestAfter)}
	if kind == helmKilled {
		s.Events = append(s.Events, d.event(deploy)) // starts a helm to kill
	}
	if bounds, ok := lifetimes[kind]; ok {
		s.Fault.For = d.duration(bounds[0], bounds[1])
	}
	switch kind {
	case rolled, cutOff, nodeDied, warmingUp, rejecting, refusing, unavailable, slow:
		s.Fault.Events = d.events(1 + d.rand.IntN(3))
	}
	return s
}

func (d *drawer) events(n int) (events []event) {
	kinds := []struct {
		kind  eventKind
		share int
	}{{deploy, 58}, {badDeploy, 8}, {scale, 15}, {undeploy, 13}, {preUpdate, 6}}
	for range n {
		at := d.rand.IntN(100)
		for _, k := range kinds {
			if at < k.share {
				events = append(events, d.event(k.kind))
				break
			}
			at -= k.share
		}
	}
	return events
}

func (d *drawer) event(kind eventKind) event {
	d.number++
	e := event{Number: d.number, Kind: kind, Release: d.rand.IntN(releases)}
	switch kind {
	case scale:
		e.Replicas = d.rand.IntN(maxReplicas + 1)
	case deploy, badDeploy, hang:
		if i := d.rand.IntN(len(chartVersions) + 1); i < len(chartVersions) {
			e.Version = chartVersions[i]
		}
	}
	if d.rand.IntN(2) == 0 { // without a pause events come in a burst
		e.Pause = d.duration(0, longestPause)
	}
	return e
}

func (d *drawer) duration(from, to time.Duration) time.Duration {
	return from + time.Duration(d.rand.Int64N(int64(to-from))).Truncate(time.Millisecond)
}

func (e event) String() string {
	text := fmt.Sprintf("#%d %s", e.Number, e.Kind)
	if e.Kind != preUpdate {
		text += " " + workloadName(e.Release)
	}
	switch {
	case e.Kind == scale:
		text += fmt.Sprintf(" to %d", e.Replicas)
	case e.Kind.deploys():
		text += " " + cmp.Or(e.Version, "the newest")
	}
	if e.Again {
		text += ", sent again"
	}
	return text
}

func (s step) String() string {
	text := fmt.Sprintf("%v; after %v %s", s.Events, s.Fault.After, s.Fault.Kind)
	if s.Fault.For > 0 {
		text += fmt.Sprintf(" for %v", s.Fault.For)
	}
	if s.Fault.Events != nil {
		text += fmt.Sprintf(", meanwhile %v", s.Fault.Events)
	}
	return text
}

// fingerprint is equal for runs that do the same.
func (p plan) fingerprint() string {
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%+v", p.Steps)
	return fmt.Sprintf("%08x", hash.Sum32())
}

func TestAChaosPlanIsRepeatableFromItsSeed(t *testing.T) {
	a, b, other := drawPlan(42, 100, true), drawPlan(42, 100, true), drawPlan(43, 100, true)
	if a.fingerprint() != b.fingerprint() || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the same seed gives two plans")
	}
	if a.fingerprint() == other.fingerprint() {
		t.Error("two seeds give the same plan")
	}
	for _, kills := range []int{8, 20, 100} {
		for _, controlPlane := range []bool{false, true} {
			p := drawPlan(1, kills, controlPlane)
			text := fmt.Sprint(p)
			if n := plannedKills(p); n != kills {
				t.Errorf("%d kills are planned, want %d", n, kills)
			}
			for _, kind := range faultKinds {
				want := controlPlane || (kind != apiKilled && kind != apiAway && kind != etcdKilled)
				if strings.Contains(text, string(kind)) != want {
					t.Errorf("a plan of %d kills has %q: %v, want %v", kills, kind, !want, want)
				}
			}
			for _, kind := range []eventKind{deploy, hang, undeploy} {
				if !strings.Contains(text, string(kind)+" "+workloadName(releases)) {
					t.Errorf("in a plan of %d kills there is no %s of another tenant's release", kills, kind)
				}
			}
		}
	}
}

// plannedKills counts SIGKILLs of the operator.
func plannedKills(p plan) (n int) {
	for _, s := range p.Steps {
		n += killsOf[s.Fault.Kind]
	}
	return n
}

var killsOf = map[faultKind]int{killed: 1, killedTwice: 2, nodeDied: 1}
