package charts

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"octo-operator/handlers/release/repository"
	"octo-operator/hub"
	"octo-operator/scripts"
)

func TestAChartThatCannotBeHadIsExplainedWithoutWhatMayBeSecretInAddresses(t *testing.T) {
	w := hub.WorkloadDeployed{RepositoryURL: "https://charts.example/stable?sig=planted", ChartName: "app", ChartVersion: "1.0.0"}
	away := pullFailed(errors.New(`Get "https://me:planted@files.example/a.tgz?sig=planted": connection refused`))
	digest := pullFailed(fmt.Errorf("pulling: %w", &repository.DigestError{Got: "a", Want: "b", In: "index"}))
	for name, test := range map[string]struct {
		err  error
		want string
		step bool // the error is explained like that of a step, and may be tried again
	}{
		"it is away":         {away, "cannot get chart app 1.0.0 from https://charts.example/stable", true},
		"another digest":     {digest, "cannot use chart app 1.0.0 from https://charts.example/stable", false},
		"an ordinary reason": {errors.New("no"), "cannot get chart app 1.0.0 from https://charts.example/stable", false},
	} {
		err := cannotGet(w, test.err)
		if !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: got %v", name, err)
		}
		var failed *pullError
		if is := errors.As(err, &failed); is != test.step || is && failed.Step() != scripts.ChartPull {
			t.Errorf("%s: a pull's error is %v", name, is)
		}
	}
	missing := notInIndex(w, &repository.NotFoundError{HasChart: true}).Error()
	if strings.Contains(missing, "planted") || !strings.Contains(missing, "1.0.0") || missing == notInIndex(w, &repository.NotFoundError{}).Error() {
		t.Errorf("a missing version: %s", missing)
	}
}
