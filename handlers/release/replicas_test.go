package release

import (
	"fmt"
	"testing"

	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/merge"
)

// live are Deployments app-0, app-1 and so on with so many replicas.
func live(counts ...int) liveState {
	var found liveState
	for i, n := range counts {
		found.replicas = append(found.replicas, kube.DeploymentReplicas{Name: fmt.Sprintf("app-%d", i), Replicas: n})
	}
	return found
}

func TestADeployKeepsTheLargestCountThatRuns(t *testing.T) {
	for _, test := range []struct {
		name         string
		live         liveState
		want         int // 0: none is kept
		wantDisagree string
	}{
		{"no Deployment", live(), 0, ""},
		{"one", live(3), 3, ""},
		{"one that sleeps", live(0), 0, ""},
		{"all sleep", live(0, 0), 0, ""},
		{"all agree", live(2, 2), 2, ""},
		{"they disagree", live(2, 3, 1), 3, "app-0 has 2, app-1 has 3, app-2 has 1"},
		{"one of them sleeps", live(0, 2), 2, "app-0 has 0, app-1 has 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if count, keep := test.live.keptReplicas(); count != test.want || keep != (test.want > 0) {
				t.Errorf("keeps %d (%v), want %d", count, keep, test.want)
			}
			r := chooseReplicas(hub.WorkloadDeployed{}, charts.Chart{Values: []byte("replicaCount: 1")}, test.live)
			if r.disagree != test.wantDisagree {
				t.Errorf("disagreement is %q, want %q", r.disagree, test.wantDisagree)
			}
		})
	}
}

func TestADeployWarnsOfDifferentCountsOnlyWhenItKeepsOne(t *testing.T) {
	found := live(2, 3)
	for name, r := range map[string]replicas{
		"a workload that goes to sleep":    chooseReplicas(hub.WorkloadDeployed{Hibernated: true}, charts.Chart{Values: []byte("replicaCount: 1")}, found),
		"a chart that knows no such value": chooseReplicas(hub.WorkloadDeployed{}, charts.Chart{}, found),
	} {
		if r.disagree != "" {
			t.Errorf("%s: %q", name, r.disagree)
		}
	}
}

func TestDeploymentsAreScaledOnlyToGoToSleepAndToWakeUp(t *testing.T) {
	for _, test := range []struct {
		name, document, chart string
		live                  liveState
		want                  string // "": they are left alone
		wakes                 bool
	}{
		{"it goes to sleep", "0", "replicaCount: 1", live(2), "0", false},
		{"it wakes up", "2", "replicaCount: 1", live(0), "2", true},
		{"it wakes up with the chart's own count", "", "replicaCount: 3", live(0, 0), "3", true},
		{"one of two sleeps", "2", "", live(0, 2), "2", false},
		{"another count", "5", "replicaCount: 1", live(2), "", false},
		{"it sleeps on", "0", "", live(0), "", false},
		{"no Deployment yet", "2", "", live(), "", false},
		{"nobody says how many", "", "image: x", live(0), "", false},
		{"no number", "many", "", live(0), "", false},
	} {
		r, document := replicas{live: test.live}, merge.Result{Values: map[string]any{}}
		if test.document != "" {
			document.Values[replicaCount] = test.document
		}
		c := charts.Chart{Values: []byte(test.chart)}
		if got := r.scaleTo(document, c); got != test.want {
			t.Errorf("%s: scaled to %q, want %q", test.name, got, test.want)
		}
		if got := r.wakes(document, c); got != test.wakes {
			t.Errorf("%s: wakes is %v", test.name, got)
		}
	}
}

func TestARollbackKeepsTheCountThatRunsUnlessTheWorkloadSleptBefore(t *testing.T) {
	for _, test := range []struct {
		name   string
		live   liveState
		asleep bool
		want   string
	}{
		{"it runs", live(3), false, "3"},
		{"it was woken up", live(3), true, "0"},
		{"it sleeps", live(0), true, ""},
		{"the counts differ", live(2, 3), false, ""},
		{"the counts differ, and it slept before", live(2, 3), true, "0"},
		{"no Deployment", live(), false, ""},
	} {
		if got := rollbackReplicas(test.live, test.asleep); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
