package dispatch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/kube"
	"octo-operator/scripts"
)

func TestConnectionTroubleIsToldFromAChartsOwn(t *testing.T) {
	for text, want := range map[string]bool{
		// helm 4.3.1, helm 3.22.0 and kubectl 1.37.2, when the API server was killed under them
		`Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:6443/version": dial tcp 127.0.0.1:6443: connect: connection refused`: true,
		`The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?` + "\nconnection refused":        true,
		`Error: UPGRADE FAILED: Get "https://127.0.0.1:6443/api/v1/namespaces/octo/secrets": read tcp: connection reset by peer`:            true,
		`Error: UPGRADE FAILED: Post "https://127.0.0.1:6443/api/v1/namespaces/octo/secrets?fieldManager=helm": EOF`:                        true,
		`Error from server: etcdserver: request timed out`:                                                                                  true,
		`error: http2: client connection lost`:                                                                                                       true,
		`Error: UPGRADE FAILED: context deadline exceeded`:                                                                                           false,
		`Error: values don't meet the specifications of the schema(s) in the following chart(s)`:                                                     false,
		`Error: INSTALLATION FAILED: Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1`:                                               false,
		`Error: UPGRADE FAILED: conflict occurred while applying object octo/x apps/v1, Kind=Deployment: Apply failed with 1 conflict: .spec.paused`: false,
	} {
		if connectionLost.MatchString(errors.New(text).Error()) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func TestARepositorysHiccupIsToldFromItsLastWord(t *testing.T) {
	for words, want := range map[string]RetryCause{
		// helm 4.3.1 and 3.22.0
		`Error: looks like "http://127.0.0.1:1" is not a valid chart repository or cannot be reached: Get "http://127.0.0.1:1/index.yaml": dial tcp 127.0.0.1:1: connect: connection refused`: repositoryAway,
		`Error: looks like "http://x" is not a valid chart repository or cannot be reached: failed to fetch http://x/index.yaml : 503 Service Unavailable`:                                    repositoryAway,
		`Error: failed to fetch http://x/demo-1.0.0.tgz : 429 Too Many Requests`:                                                                                                              repositoryAway,
		`Error: Get "https://charts.example.com/index.yaml": dial tcp: lookup charts.example.com: no such host`:                                                                               repositoryAway,
		`Error: failed to perform "FetchReference" on source: GET "http://x/v2/demo/manifests/1": response status code 502: Bad Gateway`:                                                      repositoryAway,
		`Error: looks like "http://x" is not a valid chart repository or cannot be reached: failed to fetch http://x/index.yaml : 401 Unauthorized`:                                           Final,
		`Error: looks like "http://x" is not a valid chart repository or cannot be reached: failed to fetch http://x/index.yaml : 404 Not Found`:                                              Final,
		`Error: chart "demo" version "500.0.0" not found in http://x repository`:                                                                                                              Final,
		`Error: failed to perform "FetchReference" on source: GET "http://x/v2/demo/manifests/1": response status code 403: Forbidden`:                                                        Final,
	} {
		if got := repositoryCause(words); got != want {
			t.Errorf("%q: got %v, want %v", words, got, want)
		}
	}
}

func TestTriesThatAnOutageEndedDoNotCount(t *testing.T) {
	r, now := newRetries(time.Minute), time.Now()
	for range 1000 {
		if wait, again := r.next(Outage, now, now); !again || wait > lastRetry {
			t.Fatalf("given up, or a wait of %s", wait)
		}
	}
	for i := 1; i < maxTries; i++ {
		if _, again := r.next(MaybeOutage, now, now); !again {
			t.Fatalf("the hiccup after the outage is final at try %d", i)
		}
	}
	if _, again := r.next(MaybeOutage, now, now); again {
		t.Error("tried for ever while the API server answers")
	}
	if _, again := r.next(Final, now, now); again {
		t.Error("a failure of its own is tried again")
	}
}

func TestARepositoryIsTriedAsLongAsHelmsTimeoutWithGrowingWaits(t *testing.T) {
	r, start := newRetries(5*time.Minute), time.Now()
	now := start
	for tries := 0; ; tries++ {
		wait, again := r.next(repositoryAway, now, now)
		if !again {
			if tries < 8 || now.Sub(start) < 3*time.Minute {
				t.Errorf("given up after %d tries in %s", tries, now.Sub(start))
			}
			return
		}
		if now = now.Add(wait); now.Sub(start) > 5*time.Minute {
			t.Fatalf("still tried after %s", now.Sub(start))
		}
	}
}

func TestTheTryThatARepositoryKeepsHangingCountsAsTimeThatItWasTried(t *testing.T) {
	r, start := newRetries(5*time.Minute), time.Now()
	for began := start; ; {
		failed := began.Add(longestPull)
		wait, again := r.next(repositoryAway, began, failed)
		if !again {
			return
		}
		if began = failed.Add(wait); began.Sub(start) > 5*time.Minute {
			t.Fatalf("tried again after %s", began.Sub(start))
		}
	}
}

func TestOnlyTheToolsOwnWordsTellOfTrouble(t *testing.T) {
	own := &ScriptError{scripts.WorkloadDeploy, errors.New("Error: UPGRADE FAILED: context deadline exceeded")}
	for name, test := range map[string]struct {
		err  error
		want RetryCause
	}{
		"what pods say is not the API server's": {fmt.Errorf("%w: found: Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused", own), Final},
		"what helm says is":                     {&ScriptError{scripts.WorkloadDeploy, errors.New("Error: etcdserver: request timed out")}, MaybeOutage},
		"a script that hangs has had its time":  {&ScriptError{scripts.WorkloadDeploy, fmt.Errorf("connection refused: %w", ErrHangs)}, Final},
		"the API server's absence":              {fmt.Errorf("cannot look up: %w", kube.ErrUnreachable), Outage},
		"a question to helm in an outage":       {fmt.Errorf("cannot find out: %w", &exec.ExitError{Code: 1, Stderr: "Error: Kubernetes cluster unreachable: EOF"}), MaybeOutage},
		"a question to helm that has an answer": {fmt.Errorf("cannot find out: %w", &exec.ExitError{Code: 1, Stderr: "Error: release: not found"}), Final},
		"a question to helm that has no answer": {fmt.Errorf("cannot find out: %w", &exec.StoppedError{TimedOut: true}), MaybeOutage},
		"a webhook that does not answer":        {&ScriptError{scripts.WorkloadDeploy, errors.New(`Error: failed calling webhook "w": dial tcp 127.0.0.1:1: connect: connection refused`)}, WebhookAway},
		"a token that has just been renewed":    {fmt.Errorf("cannot look up: %w", &kube.StatusError{Code: 401}), MaybeOutage},
		"a role that is being upgraded":         {fmt.Errorf("cannot look up: %w", &kube.StatusError{Code: 403}), MaybeOutage},
		"an event that is wrong":                {errors.New("chartName is empty"), Final},
		"a repository":                          {fmt.Errorf("cannot get chart: %w", &ScriptError{scripts.ChartPull, errors.New("connection refused")}), repositoryAway},
		"a repository that never answers":       {&ScriptError{scripts.ChartPull, fmt.Errorf("timed out after 2m0s: %w", errNoAnswer)}, repositoryAway},
		"a pull that outlasts every script":     {&ScriptError{scripts.ChartPull, fmt.Errorf("timed out after 30s: %w", ErrHangs)}, Final},
		"a repository that says no":             {fmt.Errorf("cannot get chart: %w", &ScriptError{scripts.ChartPull, errors.New("401 Unauthorized")}), Final},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CauseOf(test.err); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAPullTakesAtMostTwoMinutesAndNeverLongerThanHelmOrAnyScript(t *testing.T) {
	for _, test := range []struct {
		script         string
		helm, deadline time.Duration // the settings
		want           time.Duration
		cause          error
	}{
		{scripts.ChartPull, 5 * time.Minute, 0, 2 * time.Minute, errNoAnswer},
		{scripts.ChartPull, 30 * time.Second, 0, 30 * time.Second, errNoAnswer},
		{scripts.ChartPull, 5 * time.Minute, time.Minute, time.Minute, ErrHangs},
		{scripts.WorkloadDeploy, 5 * time.Minute, 0, 12 * time.Minute, ErrHangs},
		{scripts.WorkloadDeploy, 5 * time.Minute, time.Minute, time.Minute, ErrHangs},
	} {
		settings := config.Config{ScriptDeadline: test.deadline, Helm: config.Helm{Timeout: test.helm}}
		if got, cause := DeadlineOf(test.script, settings); got != test.want || !errors.Is(cause, test.cause) {
			t.Errorf("%s with %s and %s: %s, %v", test.script, test.helm, test.deadline, got, cause)
		}
	}
}
