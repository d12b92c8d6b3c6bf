package doctor

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/config"
	"octo-operator/dev/fixtures"
)

// stuck is the table with checks that hang until the test ends and ignore their context. cluster: the check "cluster" succeeds.
func stuck(end <-chan struct{}, cluster bool) []check {
	checks := slices.Clone(table)
	for i := range checks {
		if cluster && checks[i].name == clusterCheck {
			checks[i].look = func(*examination, context.Context) []Finding { return []Finding{found(OK, clusterCheck, "reached")} }
			continue
		}
		checks[i].look = func(*examination, context.Context) []Finding { <-end; return nil }
	}
	return checks
}

func TestAllEndsWithinTwentySecondsWhateverHangs(t *testing.T) {
	for name, cluster := range map[string]bool{"all of it": false, "all but the cluster": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end, began := make(chan struct{}), time.Now()
				x := &examination{now: time.Now, limit: checkTime}
				all := x.run(t.Context(), stuck(end, cluster), nil)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %s", took)
				}
				if len(all.Findings) != len(table) {
					t.Errorf("%d findings for %d checks:\n%s", len(all.Findings), len(table), show(all.Findings))
				}
				close(end)
				synctest.Wait()
			})
		})
	}
}

func TestACheckThatHangsHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		checks := []check{
			{name: "hangs", late: "end it", look: func(*examination, context.Context) []Finding { <-end; return nil }},
			{name: clusterCheck, look: func(*examination, context.Context) []Finding { return []Finding{found(OK, clusterCheck, "there")} }},
			{name: "needs it", cluster: true, look: func(*examination, context.Context) []Finding { return []Finding{found(Warn, "needs it", "looked at")} }},
		}
		x := &examination{now: time.Now, limit: checkTime}
		var shown []string
		all := x.run(t.Context(), checks, func(f Finding) { shown = append(shown, f.Check) })
		if got := strings.Join(shown, ", "); got != "hangs, cluster, needs it" {
			t.Errorf("shown: %s", got)
		}
		if f := all.Findings[0]; f.Mark != Fail || f.Found != "no answer within 5s" || f.Do != "end it" {
			t.Errorf("of what hangs: %+v", f)
		}
		if all.Failed != 1 || all.OK != 1 || all.Warnings != 1 || all.Skipped != 0 {
			t.Errorf("counted: %+v", all)
		}
		close(end)
	})
}

func TestWithoutAClusterTheRestIsLookedAt(t *testing.T) {
	r := newRig(t)
	r.tool("api", "http://"+nobody(t))
	all := r.run(t.Context(), table, nil).Findings
	r.want(all, Fail, "cluster", "cannot reach the API server", "KUBECONFIG")
	r.want(all, OK, "helm")
	r.want(all, OK, "settings")
	for _, name := range []string{"clock", "namespaces", "permissions", "definitions", "webhooks", "leader"} {
		r.want(all, Skip, name+": not looked at: there is no cluster to ask")
	}
}

func TestAnOperatorInOrderHasNothingThatFails(t *testing.T) {
	r := newRig(t)
	if all := r.run(t.Context(), table, nil); all.Failed > 0 {
		t.Error(show(all.Findings))
	}
}

func TestNothingIsWrittenToTheStateDirectory(t *testing.T) {
	r := newRig(t)
	r.hasRun()
	before := listing(t, r.stateDir)
	r.run(t.Context(), table, nil)
	if after := listing(t, r.stateDir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	r.close()
	if _, err := os.Stat(r.temp); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its own directory stays: %v", err)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, sub := range []string{dir, dir + "/runs"} {
		entries, err := os.ReadDir(sub)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(sub + "/" + e.Name() + " " + info.ModTime().String() + "\n")
		}
	}
	return all.String()
}

func TestADiskThatHangsDoesNotKeepTheChecksFromBeginning(t *testing.T) {
	o := Operator{Settings: config.Config{StateDir: "/away"}, Environ: []string{"PATH=/bin", "HOME=/away"}}
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		p := inTime(placeTime, func() place { <-end; return place{} }, func() place { return noPlace(o, "/tmp/own") })
		if p.stateDir != "/away" || p.hasState || slices.Contains(p.env, "HOME=/away") || !slices.Contains(p.env, "HOME=/tmp/own") || !slices.Contains(p.env, "PATH=/bin") {
			t.Errorf("%+v", p)
		}
		close(end)
		synctest.Wait()
	})
}

func TestWhatIsFoundIsOneLineWithoutSecrets(t *testing.T) {
	const secret = "planted-secret-4711"
	x := &examination{now: time.Now, limit: checkTime, Operator: Operator{Settings: config.Config{Broker: config.Broker{Password: secret}}}}
	all := x.run(t.Context(), []check{{name: "a", look: func(*examination, context.Context) []Finding {
		return []Finding{found(Warn, "a\x1b[31m", "said %s\nand https://user:%s@example.com/x\x1b[2J", secret, "other-secret").todo("ask\n%s", secret)}
	}}}, nil)
	f := all.Findings[0]
	for _, text := range []string{f.Check, f.Found, f.Do} {
		if strings.ContainsAny(text, "\x1b\n") || strings.Contains(text, secret) || strings.Contains(text, "other-secret") {
			t.Errorf("%q", text)
		}
	}
}

// sample has a finding of each mark.
func sample() (r Report) {
	r.add(found(OK, "helm", "v4.3.1 (/usr/local/bin/helm), for which the operator is made"))
	r.add(found(Warn, "settings", "OPERATOR__POOLNAMSPACE is not a setting: do you mean OPERATOR__POOLNAMESPACE?").
		todo("correct it in the environment, or in the chart's values; README.md lists the settings"))
	r.add(found(Fail, "namespace octo", "does not exist").todo("kubectl create namespace octo"))
	r.add(found(Skip, "webhooks", "this account may not list webhook configurations"))
	return r
}

func TestTheReportAsTextAndAsJSON(t *testing.T) {
	r := sample()
	var plain, coloured, machine bytes.Buffer
	for _, f := range r.Findings {
		WriteText(&plain, f, false)
		WriteText(&coloured, f, true)
	}
	plain.WriteString(r.Summary() + "\n")
	if err := r.WriteJSON(&machine); err != nil {
		t.Fatal(err)
	}
	fixtures.Golden(t, "report.txt", plain.Bytes())
	fixtures.Golden(t, "report-coloured.txt", coloured.Bytes())
	fixtures.Golden(t, "report.json", machine.Bytes())
}
