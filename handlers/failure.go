package handlers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"octo-operator/bounds"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/repository"
	"octo-operator/scripts"
)

// failureOf is what an event's error says of it, in the words that a person gets.
func (t *task) failureOf(ctx context.Context, reason error) *failure {
	f := &failure{words: wordsOf(reason), timeout: t.engine.settings.Helm.Timeout, account: t.account}
	rollout, failed, pulled := (*rolloutError)(nil), (*scriptError)(nil), (*pullError)(nil)
	switch {
	case errors.As(reason, new(*limitError)): // it says all there is to say
	case errors.As(reason, &rollout):
		f.step, f.words = scripts.WorkloadDeploy, ""
		f.hopeless, f.waiting, f.seen = rollout.hopeless, rollout.waiting, rollout.seen
	case errors.As(reason, &failed):
		f.step = failed.script
	case errors.As(reason, &pulled):
		f.step = scripts.ChartPull
	}
	if hook := webhookFailed.FindStringSubmatch(f.words); hook != nil {
		f.webhook = t.engine.kubectl.WebhookConfiguration(ctx, hook[1])
	}
	if t.handler.facts != nil {
		t.handler.facts(t, f)
	}
	return f
}

// facts adds to a failure which release and chart it is about.
func (rs *releases) facts(t *task, f *failure) {
	w, err := hub.Decode[hub.WorkloadDeployed](t.event.Argument)
	if err != nil {
		return
	}
	f.chart, f.version, f.repository = w.ChartName, w.ChartVersion, repository.Shown(w.RepositoryURL)
	r := t.release
	if r.name == "" {
		r, err = releaseOf(rs.settings, w.Workload)
	}
	if err == nil {
		f.release, f.namespace = r.name, r.namespace
		f.object = refusedObject(t, r.namespace)
	}
}

// wordsOf are what a script itself said of its failure, or what the operator says.
func wordsOf(err error) string {
	if failed := (*scriptError)(nil); errors.As(err, &failed) {
		return failed.reason.Error()
	}
	if pulled := (*pullError)(nil); errors.As(err, &pulled) {
		return pulled.words
	}
	return err.Error()
}

// The files of workload-deploy's look at what the server would say, before anything is touched: what helm makes of the chart, and
// what kubectl said of the objects in it.
const (
	manifestFile = "manifest.yaml"
	lookedFile   = "looked.txt"
)

// refusedObject is the first object of the manifest that the server has not accepted in the dry run, such as "Deployment web":
// kubectl does not say which one it was. "": it cannot be told.
func refusedObject(t *task, namespace string) string {
	manifest, err := readManifest(t.Path(manifestFile))
	if err != nil {
		return ""
	}
	looked, err := readManifest(t.Path(lookedFile))
	if err != nil {
		return ""
	}
	objects, err := kube.Objects(manifest, namespace)
	if err != nil {
		return ""
	}
	for _, o := range objects {
		if !acceptedIn(string(looked), o) {
			return o.String()
		}
	}
	return ""
}

// readManifest reads a file that a chart may have made as large as it likes.
func readManifest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := bounds.ReadAll(f, bounds.Manifest)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return text, nil
}

// acceptedIn looks for a line such as "deployment.apps/web serverside-applied (server dry run)".
func acceptedIn(looked string, o kube.Object) bool {
	for line := range strings.Lines(looked) {
		name, _, _ := strings.Cut(line, " ")
		kind, name, _ := strings.Cut(name, "/")
		kind, _, _ = strings.Cut(kind, ".")
		if name == o.Name && strings.EqualFold(kind, o.Kind) {
			return true
		}
	}
	return false
}

// see adds what was found in the cluster.
func (f *failure) see(found []string) { f.seen = append(f.seen, found...) }

// error is the failure as the event's own error, which still tells what it came from.
func (f *failure) error(cause error) error { return &explainedError{f.message(), cause} }

type explainedError struct {
	text  string
	cause error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.cause }
