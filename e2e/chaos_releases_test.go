package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// releaseState is what the cluster should have, or has, of a release.
type releaseState struct {
	present  bool
	number   int // of the event that deployed it
	replicas int
}

func (s releaseState) String() string {
	if !s.present {
		return "absent"
	}
	return fmt.Sprintf("deployed by #%d with %d replicas", s.number, s.replicas)
}

// after is the state after an event that does what it should.
func (s releaseState) after(e event) releaseState {
	switch e.Kind {
	case undeploy:
		return releaseState{}
	case deploy:
		// A deploy keeps the count that runs; the chart's own is 1.
		return releaseState{present: true, number: e.Number, replicas: max(s.replicas, 1)}
	case scale:
		return releaseState{present: true, number: s.number, replicas: e.Replicas}
	}
	return s
}

// expected goes through a release's events in the order of their numbers and finds what the cluster should have in the
// end. There may be several possibilities: of an event that has failed nobody knows how far it came. Wrong are outcomes
// that the event itself is no reason for.
func expected(fates []*fate) (possible []releaseState, wrong []string) {
	possible = []releaseState{{}}
	for _, f := range fates {
		e, outcome := *f.event, f.last().outcome
		absent := slices.ContainsFunc(possible, func(s releaseState) bool { return !s.present })
		switch {
		case outcome == "superseded": // that there is a newer one is checked elsewhere
		case outcome == "succeeded" && e.Kind == badDeploy:
			wrong = append(wrong, fmt.Sprintf("a deploy that cannot work has succeeded: %v", f))
		case outcome == "succeeded":
			possible = each(possible, e)
		case outcome == "failed" && e.Kind == badDeploy:
		case outcome == "failed" && e.Kind == scale && absent: // there is nothing to scale
			possible = slices.DeleteFunc(possible, func(s releaseState) bool { return s.present })
		case outcome == "failed":
			if !f.mayFail {
				wrong = append(wrong, fmt.Sprintf("has failed, and should not: %v", f))
			}
			fallthrough
		default:
			for _, s := range each(possible, e) {
				if !slices.Contains(possible, s) {
					possible = append(possible, s)
				}
			}
		}
	}
	return possible, wrong
}

func each(states []releaseState, e event) (after []releaseState) {
	for _, s := range states {
		after = append(after, s.after(e))
	}
	return after
}

func TestWhatAReleaseShouldBeFollowsFromItsEvents(t *testing.T) {
	for _, test := range []struct {
		events string // kind:outcome, numbered from 1
		want   string
		wrong  int
	}{
		{"", "[absent]", 0},
		{"deploy:succeeded deploy:succeeded", "[deployed by #2 with 1 replicas]", 0},
		{"deploy:succeeded scale:succeeded deploy:succeeded", "[deployed by #3 with 3 replicas]", 0},
		{"deploy:superseded scale:failed deploy:succeeded", "[deployed by #3 with 1 replicas]", 0},
		{"deploy:succeeded bad deploy:failed", "[deployed by #1 with 1 replicas]", 0},
		{"deploy:succeeded undeploy:succeeded", "[absent]", 0},
		{"deploy:succeeded undeploy:", "[deployed by #1 with 1 replicas absent]", 0},
		{"deploy:failed", "[absent deployed by #1 with 1 replicas]", 1},
		{"bad deploy:succeeded", "[absent]", 1},
		{"deploy:succeeded scale:failed", "[deployed by #1 with 1 replicas deployed by #1 with 3 replicas]", 1},
	} {
		var fates []*fate
		for i, text := range strings.FieldsFunc(strings.ReplaceAll(test.events, "bad deploy", "bad_deploy"), func(r rune) bool { return r == ' ' }) {
			kind, outcome, _ := strings.Cut(text, ":")
			e := event{Number: i + 1, Kind: eventKind(strings.ReplaceAll(kind, "_", " ")), Replicas: 3}
			fates = append(fates, &fate{event: &e, records: []record{{outcome: outcome}}})
		}
		if got, wrong := expected(fates); fmt.Sprint(got) != test.want || len(wrong) != test.wrong {
			t.Errorf("%s: %v, %q, want %s and %d wrong", test.events, got, wrong, test.want, test.wrong)
		}
	}
}

// clusterRelease is what the cluster has of a release.
type clusterRelease struct {
	releaseState
	helm   string // the status of its newest revision; empty: there is none
	secret string
}

func (r clusterRelease) String() string {
	return fmt.Sprintf("%v, helm says %q, its secret is %q", r.releaseState, r.helm, r.secret)
}

// inCluster reads all releases of the namespace.
func (c *chaos) inCluster() map[string]clusterRelease {
	c.Helper()
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Data map[string][]byte
			Spec struct{ Replicas int }
		}
	}
	found, revisions := map[string]clusterRelease{}, map[string]int{}
	for _, kind := range []string{"deployments", "secrets"} {
		c.must(json.Unmarshal([]byte(c.kubectl("get", kind, "--output", "json")), &list))
		for _, item := range list.Items {
			name := item.Metadata.Name
			switch release, isOurs := strings.CutSuffix(name, "-octo-secrets"); {
			case item.Kind == "Deployment":
				r := found[name]
				r.present, r.replicas = true, item.Spec.Replicas
				found[name] = r
			case item.Metadata.Labels["owner"] == "helm":
				release = item.Metadata.Labels["name"]
				if version, _ := strconv.Atoi(item.Metadata.Labels["version"]); version > revisions[release] {
					r := found[release]
					r.helm, revisions[release] = item.Metadata.Labels["status"], version
					found[release] = r
				}
			case isOurs:
				r := found[release]
				r.secret = string(item.Data["secrets.apiKey"])
				found[release] = r
			}
		}
		list.Items = nil
	}
	c.readNumbers(found)
	return found
}

// readNumbers reads which event each release was deployed by, from its config map.
func (c *chaos) readNumbers(found map[string]clusterRelease) {
	c.Helper()
	for line := range strings.Lines(c.kubectl("get", "configmaps", "--output", `jsonpath={range .items[*]}{.metadata.name} {.data.NUMBER}{"\n"}{end}`)) {
		var name string
		var number int
		if n, _ := fmt.Sscan(line, &name, &number); n == 2 {
			r := found[name]
			r.number = number
			found[name] = r
		}
	}
}

// stuckReleases compares the cluster with what the events say, release by release.
func (c *chaos) stuckReleases(fates []*fate) (stuck, wrong []string) {
	c.Helper()
	cluster := c.inCluster()
	for i := range releases {
		var own []*fate
		for _, f := range fates {
			if f.event != nil && f.event.Kind != preUpdate && f.event.Release == i {
				own = append(own, f)
			}
		}
		possible, bad := expected(own)
		wrong = append(wrong, bad...)
		got := cluster[releaseName(i)]
		if complaint := compare(got, possible, own); complaint != "" {
			stuck = append(stuck, fmt.Sprintf("shop-%d: %s; it is %v; by its events it should be one of %v; its last events:%s", i, complaint, got, possible, lastOf(own)))
		}
	}
	return stuck, wrong
}

func compare(got clusterRelease, possible []releaseState, own []*fate) string {
	status := ""
	if got.present {
		status = "deployed"
	}
	own = slices.DeleteFunc(slices.Clone(own), func(f *fate) bool { return f.died })
	victim := len(own) > 0 && own[len(own)-1].mayFail
	switch {
	case !slices.Contains(possible, got.releaseState):
		return "it is not what it should be"
	case got.helm != status && !victim: // of a victim, the next deploy shows whether it is stuck
		return "helm cannot go on with it"
	case got.helm == "" && got.secret != "" && len(own) > 0 && own[len(own)-1].event.Kind == undeploy:
		return "its secret is left"
	}
	// A bad deploy may have replaced the secret, or may not.
	if got.present && len(own) > 0 && own[len(own)-1].event.Kind == deploy && got.secret != plantedSecret(got.number) {
		return "its secret is another deploy's"
	}
	return ""
}

func lastOf(own []*fate) (text string) {
	for _, f := range own[max(0, len(own)-4):] {
		text += fmt.Sprintf("\n    %v", f)
	}
	return text
}
