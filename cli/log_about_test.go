package cli

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

const someRun = "20261126T100000.000000Z-workload-deployed-acme-x-6c1f0a"

// said is one record in both text forms of the log, without time and colours.
func said(t *testing.T, columns int, log func(*slog.Logger)) (collected, terminal string) {
	t.Helper()
	var one, other bytes.Buffer
	log(slog.New(collectedLog(&one)))
	log(slog.New(terminalLog(&other, func() int { return columns })))
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(other.String(), "")
	time := regexp.MustCompile(`(?m)^\S+ (INF|WRN) `)
	return time.ReplaceAllString(one.String(), ""), time.ReplaceAllString(plain, "")
}

func TestWhoseRecordItIsStandsOnceInFront(t *testing.T) {
	for _, test := range []struct {
		name, want string
		log        func(*slog.Logger)
	}{
		{"a run's", "6c1f0a acme/Shop: x a=1\n", func(l *slog.Logger) { l.With("run", someRun, "tenant", "acme", "workload", "Shop").Info("x", "a", 1) }},
		{"with the release, the first time", "6c1f0a acme/Shop: x release=acme-x\n6c1f0a acme/Shop: y\n", func(l *slog.Logger) {
			of := l.With("run", someRun).With("tenant", "acme", "workload", "Shop", "release", "acme-x")
			of.Info("x")
			of.Info("y")
		}},
		{"a pool's", "acme/main: x\n", func(l *slog.Logger) { l.Info("x", "tenant", "acme", "pool", "main") }},
		{"a tenant's", "acme: x\n", func(l *slog.Logger) { l.Info("x", "tenant", "acme") }},
		{"nobody's", "x lane=release/y\n", func(l *slog.Logger) { l.Info("x", "lane", "release/y") }},
		{"another one's besides", "6c1f0a acme/Shop: x tenant=other\n", func(l *slog.Logger) {
			l.With("run", someRun, "tenant", "acme", "workload", "Shop").Info("x", "tenant", "other")
		}},
		{"a name like a record's beginning", `6c1f0a acme/"Shop: event done": x` + "\n", func(l *slog.Logger) {
			l.With("run", someRun, "tenant", "acme", "workload", "Shop: event done").Info("x")
		}},
		{"a name like an attribute", `6c1f0a acme/"a=b": x` + "\n", func(l *slog.Logger) {
			l.With("run", someRun, "tenant", "acme", "workload", "a=b").Info("x")
		}},
		{"what a script writes", "6c1f0a acme/Shop: | event done took=1s\n", func(l *slog.Logger) {
			l.With("run", someRun, "tenant", "acme", "workload", "Shop").Info("event done took=1s", "stream", "stderr")
		}},
		{"what another attribute says", "x reason=\"cannot list pools.example.com\" took=1s\n", func(l *slog.Logger) {
			l.Info("x", "resource", "pools.example.com", "reason", "cannot list pools.example.com", "took", "1s")
		}},
	} {
		if collected, terminal := said(t, 120, test.log); collected != test.want || terminal != test.want {
			t.Errorf("%s:\n%s%swant\n%s", test.name, collected, terminal, test.want)
		}
	}
}

func TestACommandIsShownAsItIsTypedInTheRunDirectory(t *testing.T) {
	dir := "/state/runs/" + someRun
	collected, terminal := said(t, 60, func(l *slog.Logger) {
		of := l.With("run", someRun)
		of.Info("command", "cmd", "KUBECONFIG=/k helm template x "+dir+"/chart.tgz --values "+dir+"/values.yaml --set-file a="+dir+"/b")
		of.Info("command", "cmd", "KUBECONFIG=/k kubectl apply -f "+dir+"/secret.yaml")
		of.Info("command", "cmd", "helm x '/a b/runs/"+someRun+"/values.yaml' "+strings.Repeat("y", 200))
	})
	wantCollected := `6c1f0a: command cmd="export KUBECONFIG=/k && cd ` + dir + ` && helm template x chart.tgz --values values.yaml --set-file a=b"
6c1f0a: command cmd="kubectl apply -f secret.yaml"
6c1f0a: command cmd="helm x '/a b/runs/` + someRun + `/values.yaml' ` + strings.Repeat("y", 200) + `"
`
	wantTerminal := `6c1f0a: $ export KUBECONFIG=/k
    $ cd \
      ` + dir + `
    $ helm template x chart.tgz --values values.yaml \
      --set-file a=b
6c1f0a: $ kubectl apply -f secret.yaml
6c1f0a: $ helm x \
      '/a b/runs/` + someRun + `/values.yaml' \
      ` + strings.Repeat("y", 100) + `…
`
	if collected != wantCollected {
		t.Errorf("collected:\n%s", collected)
	}
	if terminal != wantTerminal {
		t.Errorf("on a terminal:\n%s", terminal)
	}
}

func TestAReasonOfSeveralLinesIsReadableOnATerminal(t *testing.T) {
	_, terminal := said(t, 60, func(l *slog.Logger) {
		l.Warn("event failed", "took", "1s", "reason", "the image cannot be pulled: check its name and tag in the values\nseen in the cluster:\n\tpod x", "dir", "/d")
	})
	want := `event failed took=1s dir=/d
    reason: the image cannot be pulled: check its name and
      tag in the values
      seen in the cluster:
          pod x
`
	if terminal != want {
		t.Errorf("got\n%s", terminal)
	}
}
