package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// countFates finds events that were accepted and then lost: without an outcome, or without a report of it. reports are the success flags
// of the statuses, by event; outdated the runs whose report a newer one has replaced.
func (a *accounts) countFates(fates []*fate, reports map[int][]bool, outdated map[string]bool) {
	for _, f := range fates {
		last := f.last()
		if last.callback == "PoolDeployed" {
			a.own++
			switch {
			case f.died: // the controller was told that it is not deployed
				a.notCopied++
			case last.outcome != "succeeded":
				a.wrong = append(a.wrong, f.String())
			}
			continue
		}
		a.count(f)
		if f.event != nil && len(reports[f.event.Number]) > 0 {
			a.reported++
		}
		succeeded := last.outcome == "succeeded"
		switch {
		case f.died:
		case last.outcome == "":
			a.lost = append(a.lost, fmt.Sprintf("accepted and never finished: %v", f))
		case last.outcome == "superseded":
			if !slices.ContainsFunc(fates, f.supersededBy) {
				a.lost = append(a.lost, fmt.Sprintf("superseded by nothing: %v", f))
			}
		case f.event == nil:
			if !succeeded {
				a.wrong = append(a.wrong, f.String())
			}
		case slices.Contains(reports[f.event.Number], succeeded), f.event.Kind == undeploy && succeeded:
		case outdated[last.id] && slices.ContainsFunc(fates, f.outdatedBy):
			a.outdated++
		default:
			a.lost = append(a.lost, fmt.Sprintf("not reported: %v", f))
		}
	}
}

// count counts an event by its outcome.
func (a *accounts) count(f *fate) {
	a.accepted++
	if f.again() {
		a.again++
	}
	switch last := f.last(); {
	case f.died:
		a.notCopied++
	case last.outcome != "":
		a.finished++
	}
	if f.last().outcome == "superseded" {
		a.superseded++
		if f.repeats() {
			a.repeated++
		}
	}
}

// againRuns are the runs of events that the controller has sent again.
func againRuns(fates []*fate) map[string]bool {
	runs := map[string]bool{}
	for _, f := range fates {
		runs[f.last().id] = f.again()
	}
	return runs
}

// repeats tells whether the operator has dropped an event that the controller has sent again, because one that ran or was queued asked
// for the same.
func (f *fate) repeats() bool {
	return f.again() && strings.Contains(f.last().reason, "says the same")
}

// supersededBy tells whether another event replaces f: a newer one, except that what the controller sends again never replaces a user's
// event; what the controller sends again is also replaced by the event that it repeats.
func (f *fate) supersededBy(other *fate) bool {
	if f.event == nil || other.event == nil || other == f || other.event.Release != f.event.Release || other.last().came().After(f.last().ended) {
		return false
	}
	if f.again() && other.event.Number == f.event.Number {
		return f.repeats() != (other.last().id > f.last().id)
	}
	if other.event.Number <= f.event.Number {
		return false
	}
	switch f.event.Kind {
	case scale:
		return other.event.Kind == scale || other.event.Kind == undeploy
	case undeploy:
		return other.event.Kind == undeploy
	}
	return other.event.Kind == undeploy || (other.event.Kind.deploys() && (!other.again() || f.again()))
}

// outdatedBy tells whether the controller needs no status of f because it has, or will get, that of a newer event.
func (f *fate) outdatedBy(newer *fate) bool {
	if newer.event == nil || newer.event.Release != f.event.Release || newer.last().id <= f.last().id || newer.last().outcome == "superseded" {
		return false
	}
	return (f.event.Kind == scale) == (newer.event.Kind == scale) || newer.event.Kind == undeploy
}

func TestTheAccountsShowWhatIsLost(t *testing.T) {
	shop := func(number int, kind eventKind) *event { return &event{Number: number, Kind: kind} }
	reports := map[int][]bool{1: {true}, 2: {false}, 3: {true}, 6: {false, true}}
	for _, test := range []struct {
		what    string
		event   *event
		outcome string
		lost    int
	}{
		{"done and reported", shop(1, deploy), "succeeded", 0},
		{"failed and reported", shop(2, badDeploy), "failed", 0},
		{"reported otherwise", shop(3, deploy), "failed", 1},
		{"not reported", shop(4, scale), "succeeded", 1},
		{"not finished", shop(5, deploy), "", 1},
		{"reported twice, the first time before it was killed", shop(6, deploy), "succeeded", 0},
		{"an undeploy has no report", shop(7, undeploy), "succeeded", 0},
		{"unless it has failed", shop(8, undeploy), "failed", 1},
		{"superseded by nothing", shop(9, deploy), "superseded", 1},
	} {
		a := &accounts{}
		a.countFates([]*fate{{event: test.event, records: []record{{number: test.event.Number, outcome: test.outcome}}}}, reports, nil)
		if len(a.lost) != test.lost {
			t.Errorf("%s: %q is lost, want %d", test.what, a.lost, test.lost)
		}
	}
}

func TestWhatTakesThePlaceOfAnEventMustBeEntitledTo(t *testing.T) {
	const (
		repeats = "superseded: a deploy that says the same is queued or running already"
		late    = "20260101T000100.000000Z-b"
	)
	made := func(id string, number int, kind eventKind, again bool, outcome, reason string) *fate {
		return &fate{event: &event{Number: number, Kind: kind, Again: again}, records: []record{
			{id: id, number: number, outcome: outcome, reason: reason, ended: time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC)},
		}}
	}
	reports := map[int][]bool{1: {true}, 2: {true}}
	for _, test := range []struct {
		what  string
		fates []*fate
		lost  int
	}{
		{"by an undeploy", []*fate{made("a", 1, deploy, false, "superseded", ""), made("b", 2, undeploy, false, "succeeded", "")}, 0},
		{"by a newer deploy", []*fate{made("a", 1, deploy, false, "superseded", ""), made("b", 2, deploy, false, "succeeded", "")}, 0},
		{"by a newer deploy that came after its end", []*fate{made("a", 1, deploy, false, "superseded", ""), made(late, 2, deploy, false, "succeeded", "")}, 1},
		{"by a newer deploy that was sent again", []*fate{made("a", 1, deploy, false, "superseded", ""), made("b", 2, deploy, true, "succeeded", "")}, 1},
		{"by what was sent again of itself", []*fate{made("a", 1, deploy, false, "superseded", ""), made("b", 1, deploy, true, "succeeded", "")}, 1},
		{"dropped as it repeats a user's", []*fate{made("a", 1, deploy, false, "succeeded", ""), made("b", 1, deploy, true, "superseded", repeats)}, 0},
		{"dropped as it repeats a newer one", []*fate{made("a", 1, deploy, true, "superseded", repeats), made("b", 1, deploy, true, "succeeded", "")}, 1},
		{"by the same, sent again once more", []*fate{made("a", 1, deploy, true, "superseded", ""), made("b", 1, deploy, true, "succeeded", "")}, 0},
		{"sent again, by a newer deploy", []*fate{made("a", 1, deploy, true, "superseded", ""), made("b", 2, deploy, false, "succeeded", "")}, 0},
	} {
		a := &accounts{}
		a.countFates(test.fates, reports, nil)
		if len(a.lost) != test.lost || a.superseded != 1 {
			t.Errorf("%s: %d superseded, %q is lost, want %d", test.what, a.superseded, a.lost, test.lost)
		}
	}
}

func TestAStatusMayOnlyBeLeftOutForANewerOne(t *testing.T) {
	older := &fate{event: &event{Number: 1, Kind: deploy}, records: []record{{id: "a", number: 1, outcome: "succeeded"}}}
	for kind, lost := range map[eventKind]int{deploy: 0, undeploy: 0, scale: 1} {
		newer := &fate{event: &event{Number: 2, Kind: kind}, records: []record{{id: "b", number: 2, outcome: "succeeded"}}}
		for outdated, lost := range map[string]int{"a": lost, "b": 1} {
			a := &accounts{}
			a.countFates([]*fate{older, newer}, map[int][]bool{2: {true}}, map[string]bool{outdated: true})
			if len(a.lost) != lost || a.outdated != 1-lost {
				t.Errorf("a newer %s, the status of %s is outdated: %q is lost, %d are outdated", kind, outdated, a.lost, a.outdated)
			}
		}
	}
}
