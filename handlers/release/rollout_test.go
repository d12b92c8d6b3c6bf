package release

import (
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/reason"
	"octo-operator/scripts"
)

func TestAWaitThatFailedSaysWhetherItsTimeWasUpOrItWasHopeless(t *testing.T) {
	for _, test := range []struct {
		failed *rolloutError
		want   string
	}{
		{&rolloutError{waiting: []string{"Deployment web: 0 of 1", "Job init: 1 of 2"}, timeout: time.Minute}, "the release was not ready within 1m0s: Deployment web: 0 of 1; Job init: 1 of 2"},
		{&rolloutError{waiting: []string{"Deployment web: 0 of 1"}, hopeless: "the image has no name", timeout: time.Minute}, "the release can never become ready: the image has no name"},
	} {
		if got := test.failed.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		test.failed.seen = []string{"pod web-1: ImagePullBackOff"}
		f := reason.Failure{Words: "what helm said"}
		test.failed.Explain(&f)
		if f.Step != scripts.WorkloadDeploy || f.Words != "" || f.Hopeless != test.failed.hopeless || strings.Join(f.Seen, "") != test.failed.seen[0] || len(f.Waiting) == 0 {
			t.Errorf("the failure is %+v", f)
		}
	}
}
