package handlers_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"octo-operator/handlers/release"
)

// withSecret lets the chart make a Secret, whose value it also writes elsewhere.
func withSecret(r *rig) {
	usual := r.render
	r.render = func(release, namespace string, values object) []object {
		own := object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": release + "-own", "namespace": namespace}, "stringData": object{"key": "planted-by-the-chart"}}
		also := object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": release, "namespace": namespace}, "data": object{"url": "https://user:planted-by-the-chart@host"}}
		return append(usual(release, namespace, values), own, also)
	}
}

// withHookSecret lets the chart make a Secret as a hook, which is no part of the release, and write its value elsewhere too.
func withHookSecret(r *rig) {
	usual := r.render
	r.render = func(release, namespace string, values object) []object {
		password := "planted-" + values["image"].(object)["tag"].(string)
		hook := object{"apiVersion": "v1", "kind": "Secret", "data": object{"key": base64.StdEncoding.EncodeToString([]byte(password))},
			"metadata": object{"name": release + "-hook", "namespace": namespace, "annotations": object{"helm.sh/hook": "pre-install,pre-upgrade"}}}
		also := object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": release, "namespace": namespace}, "data": object{"url": "https://user:" + password + "@host"}}
		return append(usual(release, namespace, values), hook, also)
	}
}

func TestTheManifestStaysWithoutTheValuesOfAHooksSecret(t *testing.T) {
	r := newRig(t, withHookSecret)
	r.succeed(r.run(deployEvent("shop")))
	kept := r.file("manifest.yaml")
	wantText(t, kept, "https://user:[redacted]@host")
	if strings.Contains(kept, "planted") {
		t.Errorf("there is a secret in it:\n%s", kept)
	}
	if left := r.file(release.HookSecretsFile); left != "" {
		t.Errorf("the hook's Secret itself is left: %s", left)
	}
}

func TestTheManifestStaysWithoutWhatIsSecret(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(r *rig){
		"of a deploy":             func(*rig) {},
		"of a deploy that failed": func(r *rig) { r.fails("helm upgrade", "Error: no") },
		"of a refused one":        func(r *rig) { r.fails("kubectl apply", "Error: denied") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withSecret)
			prepare(r)
			r.run(deployEvent("shop", override("note", "planted-override"), secret("secrets.key", "planted-override")))
			kept := r.file("manifest.yaml")
			wantText(t, kept, "kind: Deployment", "kind: Secret", "key: '[removed after the run]'", "https://user:[redacted]@host")
			if strings.Contains(kept, "planted") {
				t.Errorf("there is a secret in it:\n%s", kept)
			}
		})
	}
}

func TestAManifestOfWhichNobodyCanTellWhatIsSecretIsNotKept(t *testing.T) {
	r := newRig(t)
	r.when("helm template", func(c *call, _ func() int) int { c.print("kind: Secret\n\tdata: planted\n"); return 0 })
	r.fails("kubectl apply", "Error: error parsing manifest.yaml")
	r.run(deployEvent("shop"))
	if kept := r.file("manifest.yaml"); kept != "" {
		t.Errorf("it is there: %s", kept)
	}
	wantText(t, r.log.String(), "the manifest is not kept")
}

func TestAnOperatorThatEndsLeavesNoManifest(t *testing.T) {
	r := newRig(t, withSecret)
	r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	r.shutdown(0)
	if kept := r.file("manifest.yaml"); kept != "" {
		t.Errorf("it is there: %s", kept)
	}
}

// TestAValueOfAChartsSecretThatTheAPIServerQuotesIsToldNowhere: nobody has flagged it, since it is the chart's own.
func TestAValueOfAChartsSecretThatTheAPIServerQuotesIsToldNowhere(t *testing.T) {
	t.Parallel()
	for name, render := range map[string]option{"of an object": withSecret, "of a hook": withHookSecret} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, render)
			const quotes = `Error from server (Invalid): ConfigMap "x" is invalid: metadata.labels: Invalid value: "%s": at most 63 characters`
			r.fails("kubectl apply", fmt.Sprintf(quotes, "planted-by-the-chart")+fmt.Sprintf(quotes, "planted-1.0"))
			r.run(deployEvent("shop"))
			known, other := "planted-by-the-chart", "planted-1.0"
			if name == "of a hook" {
				known, other = other, known
			}
			s, p := r.status("shop"), r.plan(deployEvent("shop"))
			for where, text := range map[string]string{
				"the status": s.StatusMessage, "the log": r.log.String(), "output.log": r.file("output.log"), "the result": r.file("result.json"),
				"the timeline": r.file("timeline.jsonl"), "the plan": p.Refused,
			} {
				if strings.Contains(text, known) || !strings.Contains(text, other) || !strings.Contains(text, "[redacted]") {
					t.Errorf("%s: %s", where, text)
				}
			}
		})
	}
}

// TestAStatusNamesItsObjectsAlsoWhereASecretHoldsTheirName: such as that of the database, in a Secret with its address.
func TestAStatusNamesItsObjectsAlsoWhereASecretHoldsTheirName(t *testing.T) {
	r := newRig(t, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values), object{"apiVersion": "v1", "kind": "Secret",
				"metadata": object{"name": release + "-own", "namespace": namespace}, "stringData": object{"host": release}})
		}
	})
	r.fails("kubectl apply", `Error from server (Invalid): Deployment.apps "`+releaseName("shop")+`" is invalid: spec: Invalid value`)
	r.run(deployEvent("shop"))
	wantText(t, r.status("shop").StatusMessage, releaseName("shop"))
}

// TestAValueOfAChartsSecretIsToldNowhereAfterAKillEither: the chart is not rendered again for a release that is installed.
func TestAValueOfAChartsSecretIsToldNowhereAfterAKillEither(t *testing.T) {
	t.Parallel()
	for name, comeBack := range comeBack {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withSecret, with("HELM__TIMEOUT", "1s"))
			r.sicken("shop", waitsFor("CreateContainerError", "no such volume: planted-by-the-chart"))
			r.accept(deployEvent("shop"))
			r.eventually("helm is done", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 deployed" })
			comeBack(r)
			s := r.status("shop")
			wantText(t, s.StatusMessage, "no such volume: [redacted]")
			if text := s.StatusMessage + r.log.String() + r.file("result.json") + r.file("timeline.jsonl"); strings.Contains(text, "planted-by-the-chart") {
				t.Errorf("it is told: %s", text)
			}
		})
	}
}

// TestTheValueThatWasInstalledIsToldNowhereEither: a chart may make another password each time that it is rendered, and helm upgrade renders once more.
func TestTheValueThatWasInstalledIsToldNowhereEither(t *testing.T) {
	var renders atomic.Int64
	password := func(n int64) string { return fmt.Sprintf("planted-%d-by-the-chart", n) }
	r := newRig(t, with("HELM__TIMEOUT", "1s"), func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values), object{"apiVersion": "v1", "kind": "Secret",
				"metadata": object{"name": release + "-own", "namespace": namespace}, "stringData": object{"key": password(renders.Add(1))}})
		}
	})
	r.sicken("shop", waitsFor("ContainerCreating", ""))
	deploy := r.accept(deployEvent("shop"))
	r.eventually("helm is done", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 deployed" })
	r.sicken("shop", waitsFor("CreateContainerError", "no such volume: "+password(renders.Load())))
	deploy.result()
	s := r.status("shop")
	wantText(t, s.StatusMessage, "no such volume: [redacted]")
	if text := s.StatusMessage + r.log.String(); strings.Contains(text, password(renders.Load())) {
		t.Errorf("it is told: %s", text)
	}
}

// TestAnObjectKeepsItsNameAlsoWhereASecretHoldsIt: such as that of the database, in a Secret with its address, or in a list of hosts.
func TestAnObjectKeepsItsNameAlsoWhereASecretHoldsIt(t *testing.T) {
	r := newRig(t, comparesFirst, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values), object{"apiVersion": "v1", "kind": "Secret",
				"metadata": object{"name": release + "-own", "namespace": namespace}, "stringData": object{"host": release, "hosts": "a-host-elsewhere\n" + release + "\n"}})
		}
	})
	r.succeed(r.run(deployEvent("shop", override("note", "a-host-elsewhere"))))
	wantText(t, r.file("manifest.yaml"), "name: "+releaseName("shop"), "name: "+releaseName("shop")+"-own")
	wantText(t, r.file("changes.diff"), "Deployment "+namespace+"/"+releaseName("shop")+" (new)")
	for _, file := range []string{"manifest.yaml", "changes.diff"} {
		if strings.Contains(r.file(file), "a-host-elsewhere") {
			t.Errorf("%s has another line of the Secret", file)
		}
	}
}

func TestAValueOfAChartsSecretThatAPodQuotesIsNotToldInTheNextLifeEither(t *testing.T) {
	r := newRig(t, withSecret)
	r.sicken("shop", pulling)
	r.accept(deployEvent("shop"))
	r.waits("shop")
	r.restart()
	r.sicken("shop", waitsFor("InvalidImageName", `couldn't parse image reference "planted-by-the-chart"`))
	message := r.status("shop").StatusMessage
	wantText(t, message, "InvalidImageName", "[redacted]")
	if told := message + r.log.String() + r.file("timeline.jsonl"); strings.Contains(told, "planted-by-the-chart") {
		t.Error(told)
	}
}

// TestASecretOfTheEventIsToldNowhereAlsoWhereASecretOfTheChartIsItsBeginning: taken out first, that would leave the rest.
func TestASecretOfTheEventIsToldNowhereAlsoWhereASecretOfTheChartIsItsBeginning(t *testing.T) {
	const address = "postgres://user:planted-password@host"
	r := newRig(t, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values),
				object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": release + "-scheme", "namespace": namespace}, "stringData": object{"scheme": "postgres://"}},
				object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": release + "-note", "namespace": namespace}, "data": object{"note": "at " + address}})
		}
	})
	r.sicken("shop", waitsFor("InvalidImageName", "couldn't parse "+address))
	r.run(deployEvent("shop", secret("secrets.address", address)))
	message := r.status("shop").StatusMessage
	wantText(t, message, "couldn't parse [redacted]")
	for where, text := range map[string]string{
		"the status": message, "the log": r.log.String(), "the manifest": r.file("manifest.yaml"), "the timeline": r.file("timeline.jsonl"), "the changes": r.file("changes.diff"),
	} {
		if strings.Contains(text, "planted-password") {
			t.Errorf("%s: %s", where, text)
		}
	}
}
