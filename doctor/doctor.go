// Package doctor looks whether all is there that an operator needs: its settings, tools, memory and disk, the cluster and the permissions in
// it, the controller, and the chart repositories of the last deploys. table.go lists the checks; a file each has those of one topic.
//
// It changes nothing: not on disk, where a daemon may be at work, not in the cluster, and it does not register at the controller.
//
//	all := doctor.Examine(ctx, doctor.Operator{Settings: settings, Environ: os.Environ()}, show)
//	if all.Failed > 0 { … }
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/kube"
	"octo-operator/text"
)

// Operator is the operator to examine: its settings and environment on this machine.
type Operator struct {
	Settings config.Config
	Wrong    error    // the error of config.Load
	Environ  []string // as from os.Environ
}

// examination is what all checks share. They run at the same time and only read it.
type examination struct {
	Operator
	env      []string // of helm and kubectl
	api      *kube.Client
	stateDir string
	hasState bool        // stateDir has runs
	runs     *runs.Store // of stateDir
	temp     string      // a directory that is removed at the end; "": none could be created
	deploys  func() []deploy
	now      func() time.Time
	limit    time.Duration // checkTime, except in tests
}

// Examine makes all checks and returns what they have found, in the order of the table. If show is not nil, it gets each finding as soon
// as it and all before it are known. Examine takes at most some 20 s, whatever does not answer.
func Examine(ctx context.Context, o Operator, show func(Finding)) Report {
	x := newExamination(o)
	defer x.close()
	return x.run(ctx, table, show)
}

func newExamination(o Operator) *examination {
	x := &examination{Operator: o, now: time.Now, limit: checkTime}
	x.temp = tempDir()
	p := inTime(placeTime, func() place { return findPlace(o, x.temp) }, func() place { return noPlace(o, x.temp) })
	x.stateDir, x.hasState, x.env = p.stateDir, p.hasState, p.env
	x.runs = runs.Reading(x.stateDir)
	x.api = kube.NewClient(x.env, x.temp, slog.New(slog.DiscardHandler))
	x.deploys = sync.OnceValue(x.lastDeploys)
	return x
}

func (x *examination) close() {
	x.api.Close()
	if x.temp != "" {
		_ = os.RemoveAll(x.temp)
	}
}

// place is what checks need to know about the disk before they begin.
type place struct {
	stateDir string
	hasState bool
	env      []string
}

// placeTime bounds what the disk is asked before the checks begin. A network disk that is away hangs everything that accesses it: then
// only the check of the state directory accesses it.
const placeTime = 2 * time.Second

func findPlace(o Operator, temp string) place {
	dir, found := runs.Existing(o.Settings.StateDir)
	return place{dir, found, toolEnv(o.Environ, dir, temp)}
}

// noPlace makes a place without accessing the disk. It replaces HOME, which is the state directory in the image.
func noPlace(o Operator, temp string) place {
	environ := slices.DeleteFunc(slices.Clone(o.Environ), func(variable string) bool { return strings.HasPrefix(variable, "HOME=") })
	return place{cmp.Or(o.Settings.StateDir, runs.UsualDir), false, append(toolEnv(environ, "", temp), "HOME="+temp)}
}

// inTime returns what do returns, or if that takes longer than limit, what instead returns.
func inTime[T any](limit time.Duration, do, instead func() T) T {
	result := make(chan T, 1)
	go func() { result <- do() }()
	select {
	case r := <-result:
		return r
	case <-time.After(limit):
		return instead()
	}
}

// tempDir creates a directory for kubectl proxy's socket and for indexes. In a pod with a read-only file system, only /dev/shm may be
// writable.
func tempDir() string {
	for _, place := range []string{"", "/dev/shm"} {
		if dir, err := os.MkdirTemp(place, "octo-operator-doctor-"); err == nil {
			return dir
		}
	}
	return ""
}

// toolEnv is the environment of helm and kubectl. It is the daemon's in what matters here, but they write their files to temp.
func toolEnv(environ []string, stateDir, temp string) []string {
	env := exec.AllowEnv(environ, exec.DefaultEnv...)
	for i, variable := range env {
		if home, ok := strings.CutPrefix(variable, "HOME="); ok {
			env[i] = "HOME=" + runs.Home(home, stateDir)
		}
	}
	env = append(env, "GOGC=20") // leaves most of the container's memory to the daemon and its helms
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"} {
		env = append(env, name+"="+filepath.Join(temp, name))
	}
	return env
}

// inPod tells whether this is a pod, by the variable that Kubernetes sets in each.
func (x *examination) inPod() bool {
	for _, variable := range x.Environ {
		if strings.HasPrefix(variable, "KUBERNETES_SERVICE_HOST=") {
			return true
		}
	}
	return false
}

// Mark says how good or bad a finding is.
type Mark string

// The marks. Skip: it could not be checked, or there is nothing to check.
const (
	OK   Mark = "ok"
	Warn Mark = "warn"
	Fail Mark = "fail"
	Skip Mark = "skip"
)

// Finding is what a check says of one thing.
type Finding struct {
	Mark  Mark   `json:"mark"`
	Check string `json:"check"` // what was looked at, such as "helm" or "namespace octo"
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what to do about it; "": nothing
}

// found makes a finding of a text from any source: one line, without characters that a terminal would obey.
func found(mark Mark, check, format string, args ...any) Finding {
	return Finding{Mark: mark, Check: oneLine(check), Found: oneLine(fmt.Sprintf(format, args...))}
}

// todo adds what to do about it.
func (f Finding) todo(format string, args ...any) Finding {
	f.Do = oneLine(fmt.Sprintf(format, args...))
	return f
}

// longestLine is in bytes: what follows, of a proxy's page or a long list of names, helps nobody.
const longestLine = 700

func oneLine(words string) string {
	return text.Clip(text.Printable(exec.WithoutAddressSecrets(strings.Join(strings.Fields(words), " "))), longestLine)
}

// Report is all that was found.
type Report struct {
	OK       int       `json:"ok"` // how many findings have the mark
	Warnings int       `json:"warnings"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
	Findings []Finding `json:"findings"`
}

func (r *Report) add(f Finding) {
	r.Findings = append(r.Findings, f)
	switch f.Mark {
	case OK:
		r.OK++
	case Warn:
		r.Warnings++
	case Fail:
		r.Failed++
	case Skip:
		r.Skipped++
	}
}
