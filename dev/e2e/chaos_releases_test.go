package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// releaseState is the expected or the actual state of a release in the cluster.
type releaseState struct {
	present  bool
	number   int    // of the event that deployed it
	version  string // of the chart
	replicas int
}

func (s releaseState) String() string {
	if !s.present {
		return "absent"
	}
	return fmt.Sprintf("chart %s deployed by #%d with %d replicas", s.version, s.number, s.replicas)
}

// after is the state after an event that succeeds.
func (s releaseState) after(e event) releaseState {
	switch e.Kind {
	case undeploy:
		return releaseState{}
	case deploy, hang:
		version := cmp.Or(e.Version, newestChart)
		if e.Again && e.Version == "" && s.present {
			version = s.version // no newer version was asked for
		}
		// A deploy keeps the number of running replicas; the chart's default is 1.
		return releaseState{present: true, number: e.Number, version: version, replicas: max(s.replicas, 1)}
	case scale:
		s.replicas = e.Replicas
	}
	return s
}

// expected goes through the events of a release in the order in which they came, and returns the states that the cluster may have in the
// end. There may be several, because it is not known how far an event came that has failed, or was replaced by a newer one after it had
// begun. wrong are outcomes that the event itself does not explain.
func expected(fates []*fate) (possible []releaseState, wrong []string) {
	possible = []releaseState{{}}
	for _, f := range fates {
		e, outcome := *f.event, f.last().outcome
		mustFail := e.Kind == badDeploy || e.Kind == hang
		absent := slices.ContainsFunc(possible, func(s releaseState) bool { return !s.present })
		switch {
		case outcome == "failed" && strings.HasPrefix(f.last().reason, "not carried out: the event waited on the disk of an operator that did not lead"):
			// It had no copy, and others have led since: docs/nothing-lost.md. The controller was told to send it again; nothing was done.
		case outcome == "superseded" && !f.worked: // that a newer one has replaced it is checked elsewhere
		case outcome == "succeeded" && mustFail:
			wrong = append(wrong, fmt.Sprintf("a deploy that cannot work has succeeded: %v", f))
		case outcome == "succeeded":
			possible = each(possible, e)
		case outcome == "failed" && mustFail && !f.mayFail: // and was undone
		case outcome == "failed" && e.Kind == scale && absent: // there was nothing to scale
			possible = slices.DeleteFunc(possible, func(s releaseState) bool { return s.present })
		default:
			if outcome == "failed" && !f.mayFail {
				wrong = append(wrong, fmt.Sprintf("has failed, and should not: %v", f))
			}
			for _, s := range each(possible, e) {
				if !slices.Contains(possible, s) {
					possible = append(possible, s)
				}
			}
		}
	}
	return possible, wrong
}

// each returns the different states that an event makes of states.
func each(states []releaseState, e event) (after []releaseState) {
	for _, s := range states {
		if next := s.after(e); !slices.Contains(after, next) {
			after = append(after, next)
		}
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
		{"deploy:succeeded deploy:succeeded", "[chart 1.2.0 deployed by #2 with 1 replicas]", 0},
		{"deploy:succeeded scale:succeeded deploy:succeeded", "[chart 1.2.0 deployed by #3 with 3 replicas]", 0},
		{"deploy:superseded scale:failed deploy:succeeded", "[chart 1.2.0 deployed by #3 with 1 replicas]", 0},
		{"deploy:succeeded deploy:worked:superseded bad_deploy:failed", "[chart 1.2.0 deployed by #1 with 1 replicas chart 1.2.0 deployed by #2 with 1 replicas]", 0},
		{"deploy:succeeded bad_deploy:failed", "[chart 1.2.0 deployed by #1 with 1 replicas]", 0},
		{"deploy:succeeded undeploy:succeeded", "[absent]", 0},
		{"deploy:succeeded undeploy:", "[chart 1.2.0 deployed by #1 with 1 replicas absent]", 0},
		{"deploy:failed", "[absent chart 1.2.0 deployed by #1 with 1 replicas]", 1},
		{"bad_deploy:succeeded", "[absent]", 1},
		{"deploy:succeeded scale:failed", "[chart 1.2.0 deployed by #1 with 1 replicas chart 1.2.0 deployed by #1 with 3 replicas]", 1},
		{"hang:failed", "[absent]", 0},
		{"hang:succeeded", "[absent]", 1},
		{"hang:worked:superseded", "[absent chart 1.2.0 deployed by #1 with 1 replicas]", 0},
		{"newest:succeeded", "[chart 1.4.0 deployed by #1 with 1 replicas]", 0},
		{"deploy:succeeded again:succeeded", "[chart 1.2.0 deployed by #2 with 1 replicas]", 0},
		{"deploy:superseded again:succeeded", "[chart 1.4.0 deployed by #2 with 1 replicas]", 0},
	} {
		var fates []*fate
		for i, text := range strings.Fields(test.events) {
			kind, outcome, _ := strings.Cut(text, ":")
			e := event{Number: i + 1, Kind: eventKind(strings.ReplaceAll(kind, "_", " ")), Version: "1.2.0", Replicas: 3}
			switch kind {
			case "hang":
				e.Kind = hang
			case "newest":
				e.Kind, e.Version = deploy, ""
			case "again":
				e.Kind, e.Version, e.Again = deploy, "", true
			}
			outcome, worked := strings.CutPrefix(outcome, "worked:")
			fates = append(fates, &fate{event: &e, worked: worked, records: []record{{outcome: outcome}}})
		}
		if got, wrong := expected(fates); fmt.Sprint(got) != test.want || len(wrong) != test.wrong {
			t.Errorf("%s: %v, %q, want %s and %d wrong", test.events, got, wrong, test.want, test.wrong)
		}
	}
}

// clusterRelease is the state of a release in the cluster.
type clusterRelease struct {
	releaseState
	helm   string // the status of its newest revision; empty: there is none
	values int    // the number of the event in helm's values
	secret string
}

func (r clusterRelease) String() string {
	return fmt.Sprintf("%v, helm calls it %q and has the values of #%d, its secret is %q", r.releaseState, r.helm, r.values, r.secret)
}

// inCluster reads all releases in the namespace.
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
	found := map[string]clusterRelease{}
	for _, kind := range []string{"deployments", "secrets"} {
		c.must(json.Unmarshal([]byte(c.kubectl("get", kind, "--output", "json")), &list))
		for _, item := range list.Items {
			name := item.Metadata.Name
			switch release, isOurs := strings.CutSuffix(name, "-octo-secrets"); {
			case item.Kind == "Deployment":
				r := found[name]
				r.present, r.replicas = true, item.Spec.Replicas
				found[name] = r
			case isOurs:
				r := found[release]
				r.secret = string(item.Data["secrets.apiKey"])
				found[release] = r
			}
		}
		list.Items = nil
	}
	c.readNumbers(found)
	c.askHelm(found)
	return found
}

// askHelm reads the releases from helm.
func (c *chaos) askHelm(found map[string]clusterRelease) {
	c.Helper()
	var list []struct{ Name, Status, Chart string }
	c.must(json.Unmarshal([]byte(c.helm("list", "--output", "json")), &list))
	for _, item := range list {
		var values struct{ Settings struct{ Number int } }
		c.must(json.Unmarshal([]byte(c.helm("get", "values", item.Name, "--output", "json")), &values))
		r := found[item.Name]
		r.helm, r.values, r.version = item.Status, values.Settings.Number, strings.TrimPrefix(item.Chart, "demo-app-")
		found[item.Name] = r
	}
}

// readNumbers reads, from each release's config map, the number of the event that has deployed it.
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

// releasesOf groups fates by release.
func releasesOf(fates []*fate) map[int][]*fate {
	own := map[int][]*fate{}
	for _, f := range fates {
		if f.event != nil && f.event.Kind != preUpdate {
			own[f.event.Release] = append(own[f.event.Release], f)
		}
	}
	return own
}

// stuckReleases compares each release in the cluster with what its events make of it.
func (c *chaos) stuckReleases(fates []*fate) (stuck, wrong []string) {
	c.Helper()
	cluster, byRelease := c.inCluster(), releasesOf(fates)
	for i := range releases + hanging {
		own := byRelease[i]
		possible, bad := expected(own)
		wrong = append(wrong, bad...)
		got := cluster[releaseName(i)]
		if complaint := compare(got, possible, own); complaint != "" {
			stuck = append(stuck, fmt.Sprintf("%s: %s; it is %v; by its events it should be one of %v; its last events:%s", workloadName(i), complaint, got, possible, lastOf(own)))
		}
	}
	return stuck, wrong
}

// decisive is the last event of a release that was carried out; nil: there is none.
func decisive(own []*fate) *fate {
	for _, f := range slices.Backward(own) {
		if outcome := f.last().outcome; outcome == "succeeded" || outcome == "failed" {
			return f
		}
	}
	return nil
}

func compare(got clusterRelease, possible []releaseState, own []*fate) string {
	status := ""
	if got.present {
		status = "deployed"
	}
	last := cmp.Or(decisive(own), &fate{event: &event{}})
	victim := last.mayFail // the next deploy will show whether it is stuck; helm's newest revision may never have been deployed
	if victim {
		got.version = ""
		possible = slices.Clone(possible)
		for i := range possible {
			possible[i].version = ""
		}
	}
	switch {
	case !slices.Contains(possible, got.releaseState):
		return "it is not what it should be"
	case got.helm != status && !victim:
		return "helm cannot go on with it"
	case got.values != got.number && !victim:
		return "helm has other values than the cluster"
	case got.helm == "" && got.secret != "" && last.event.Kind == undeploy:
		return "its secret is left"
	}
	// A failed deploy may or may not have replaced the secret.
	if got.present && last.event.Kind == deploy && last.last().outcome == "succeeded" && got.secret != plantedSecret(got.number) {
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
