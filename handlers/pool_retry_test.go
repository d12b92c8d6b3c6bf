package handlers

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/kube"
	"octo-operator/scripts"
)

func TestAPoolIsTriedUntilItHasWorkedOrIsWrongItself(t *testing.T) {
	said := func(words string) error { return &scriptError{scripts.PoolDeploy, errors.New(words)} }
	status := func(code int) error { return fmt.Errorf("cannot look: %w", &kube.StatusError{Code: code}) }
	const webhook = `Error from server (InternalError): Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://x": `
	for _, test := range []struct {
		err  error
		want trouble
	}{
		{said(webhook + "dial tcp 127.0.0.1:1: connect: connection refused"), webhookAway},
		{said(webhook + `no endpoints available for service "octo-operator"`), webhookAway},
		{said(webhook + "tls: failed to verify certificate: x509: certificate signed by unknown authority"), webhookAway},
		{said(webhook + "context deadline exceeded"), webhookAway},
		{said(webhook + `service "octo-operator" not found`), webhookAway},
		{said(`error: resource mapping not found for name: "a" namespace: "octo" from "pool.yaml": no matches for kind "CommunicationPool" in version "x/v1"`), notTaken},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: User "u" cannot patch resource "communicationpools" in API group "x" in the namespace "octo"`), notTaken},
		{said(`Error from server (NotFound): namespaces "octo" not found`), notTaken},
		{said(`Error from server: failed to create typed patch object (octo/a; x/v1, Kind=CommunicationPool): .spec.poolRtId: field not declared in schema`), notTaken},
		{said(`Error from server (Forbidden): secrets "a" is forbidden: exceeded quota: small, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1`), notTaken},
		{said("the environment's own script has no access to its repository"), notTaken},
		{&scriptError{scripts.PoolDeploy, fmt.Errorf("timed out after 12m0s: %w", errHangs)}, notTaken},
		{said("The connection to the server 127.0.0.1:6443 was refused\nconnection refused"), doubtful},
		{fmt.Errorf("cannot look: %w", kube.ErrUnreachable), outage},
		{status(403), notTaken},
		{status(500), notTaken},
		{fmt.Errorf("no: %w", &stillDeletingError{}), beingDeleted},

		{said(`The CommunicationPool "a" is invalid: spec.poolRtId: Invalid value: "abc": spec.poolRtId in body should match '^[a-f0-9]{24}$'`), none},
		{said(`Error from server: admission webhook "w" denied the request: no`), none},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`), none},
		{said(`Error from server (BadRequest): error when creating "pool.yaml": no`), none},
		{status(422), none},
		{status(400), none},
		{errors.New("poolRtId is not 24 lowercase hexadecimal digits"), none},
	} {
		why, ofCluster := told(test.err)
		if got, _ := poolTrouble(test.err, why, ofCluster); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, troubleNames[got], troubleNames[test.want])
		}
		r, now := newRetry(time.Minute), time.Now()
		r.endless = true
		for i := range 1000 {
			if wait, again := r.next(test.want, now, now); again != (test.want != none) || wait > lastEndlessRetry {
				t.Fatalf("%q: at try %d: again %v, in %s", troubleNames[test.want], i, again, wait)
			}
		}
	}
	for _, why := range []trouble{webhookAway, notTaken, beingDeleted, doubtful} { // of a single event that somebody runs by hand
		r, now, tries := newRetry(time.Minute), time.Now(), 1
		for again := true; again; tries++ {
			_, again = r.next(why, now, now)
		}
		if tries != maxTries+1 {
			t.Errorf("%q: %d tries", troubleNames[why], tries-1)
		}
	}
}

func TestHundredsOfPoolsThatWaitAskNoMoreThanTwiceASecondAndTheFirstThatWorksWakesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all = 500
		p, began, ended := newTries(), time.Now(), make(chan time.Duration, all)
		woken := p.begin()
		for range all {
			go func() {
				_ = p.pause(t.Context(), time.Second, woken)
				ended <- time.Since(began)
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if tries := len(ended); tries < 60 || tries > 121 {
			t.Errorf("%d tries in a minute", tries)
		}
		p.wake()
		synctest.Wait()
		if len(ended) != all || p.waiting != 0 {
			t.Errorf("%d of %d are awake", len(ended), all)
		}
		// What wakes them during a try is not lost.
		if _ = p.pause(t.Context(), time.Hour, woken); time.Since(began) > time.Minute {
			t.Error("it slept although it was woken before")
		}
	})
}
