package handlers_test

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/hub"
)

// TestWhatAnEventCosts pins the processes that an event starts and the requests that the operator itself sends to the API server: a
// change of either shows in the golden file's diff. What helm and kubectl send is theirs; docs/performance.md has it as measured.
func TestWhatAnEventCosts(t *testing.T) {
	fixtures.Golden(t, "what-an-event-costs.txt", whatEventsCost(t))
}

func TestWithATenantsAccountAnEventCostsTheSame(t *testing.T) {
	fixtures.Golden(t, "what-an-event-costs.txt", whatEventsCost(t, asAccount))
}

func whatEventsCost(t *testing.T, options ...option) []byte {
	t.Helper()
	s := newChartServer(t)
	r := newWorld(t, append(options, s.trusted(), central, counted, with("CLUSTERJOURNAL", "false"))...)
	r.start()
	s.lists(r, "1.2.3")
	r.watching()
	key := func(value string) func(*hub.WorkloadDeployed) { return secret("secrets.apiKey", value) }
	pool := hub.Pool{TenantID: tenant, PoolRtID: poolID}
	var all strings.Builder
	for _, step := range []struct {
		what  string
		event hub.Event
	}{
		{"deploy of a pool", event(hub.PoolDeployed, pool)},
		{"deploy, new release", deployEvent("shop", s.from, key("planted-1"), colour("red"))},
		{"deploy of another new release, chart at hand", deployEvent("bank", s.from, key("planted-1"), colour("red"))},
		{"redeploy, changed value", deployEvent("shop", s.from, key("planted-1"), colour("blue"))},
		{"redeploy, changed secret", deployEvent("shop", s.from, key("planted-2"), colour("blue"))},
		{"redeploy, nothing changed", deployEvent("shop", s.from, key("planted-2"), colour("blue"))},
		{"reconciliation, nothing changed", deployEvent("shop", s.from, key("planted-2"), colour("blue"), resent)},
		{"scale", scaleEvent("shop", 3)},
		{"undeploy", undeployEvent("shop")},
		{"undeploy, nothing there", undeployEvent("shop")},
		{"undeploy of a pool", event(hub.PoolUndeployed, pool)},
	} {
		r.forget()
		r.succeed(r.run(step.event))
		r.eventually("pools that have a resource say that they are registered", r.poolsSay)
		fmt.Fprintf(&all, "%s\n%s\n", step.what, r.costs())
	}
	return []byte(all.String())
}

// TestWhatTheCopyOfAnEventCosts is the same for the copy in the cluster, which is made beside everything else.
func TestWhatTheCopyOfAnEventCosts(t *testing.T) {
	r := newWorld(t, counted)
	r.start()
	r.watching()
	copies := func() bool { return len(r.cluster.paths("/api/v1/namespaces/"+namespace+"/secrets/octo-journal")) > 0 }
	h := r.hold("upgrade", "shop")
	r.forget()
	deploy := r.accept(deployEvent("shop"))
	r.reach(h)
	r.eventually("the event is copied", copies)
	h.release()
	r.succeed(deploy.result())
	r.eventually("the copy is gone", func() bool { return !copies() })
	fixtures.Golden(t, "what-a-copy-costs.txt", []byte("deploy, new release, with a copy of its event in the cluster\n"+r.costs()))
}

// forget begins to count anew.
func (r *rig) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.requests = nil, nil
}

// watching waits until the operator watches for pools, after which only events cause requests.
func (r *rig) watching() {
	r.Helper()
	r.eventually("both kinds of pools are watched", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		kinds := map[string]bool{}
		for _, request := range r.requests {
			if strings.Contains(request, "watch=") {
				kinds[kindOf(request)] = true
			}
		}
		return len(kinds) == 2
	})
}

// poolsSay tells whether each pool's resource has its status, which is written beside the event.
func (r *rig) poolsSay() bool {
	all := r.cluster.paths("/apis/octo-mesh.meshmakers.io/v1alpha1/namespaces/" + namespace + "/communicationpools/")
	return !slices.ContainsFunc(all, func(path string) bool {
		return section(r.cluster.get(path), "status")["communicationStatus"] != "Registered"
	})
}

// always are requests that no event causes, because they come by the clock; and the one more that the copy of an event costs when the
// event ends before its report is delivered.
func always(request string) bool {
	for _, part := range []string{"watch=", "/leases", "/readyz", "journal%3D", "PUT /api/v1/namespaces/" + namespace + "/secrets/octo-journal"} {
		if strings.Contains(request, part) {
			return true
		}
	}
	return false
}

func (r *rig) costs() string {
	return r.costsOf(func(request string) bool { return !always(request) })
}

// costsOf are the processes in their order, and the requests that count, by what they do.
func (r *rig) costsOf(counts func(request string) bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	for _, c := range r.calls {
		if c.is("kubectl proxy") || c.is("helm version") { // once in the operator's life
			continue
		}
		fmt.Fprintf(&text, "  process  %s\n", c.kind())
	}
	times := map[string]int{}
	for _, request := range r.requests {
		if counts(request) {
			times[kindOf(request)]++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(times)) {
		fmt.Fprintf(&text, "  request  %d %s\n", times[kind], kind)
	}
	return text.String()
}

// kind is a call without the names in it: kubectl apply secret.yaml.
func (c *call) kind() string {
	words := []string{c.tool, c.word(0)}
	if c.tool == "kubectl" {
		for _, file := range c.flags["filename"] {
			words = append(words, filepath.Base(file))
		}
	} else if c.is("helm get") {
		words = append(words, c.word(1))
	}
	if c.dry() {
		words = append(words, "(dry run)")
	}
	return strings.Join(words, " ")
}

// kindOf is a request without the names in it: list secrets, patch deployments.
func kindOf(request string) string {
	method, path, _ := strings.Cut(request, " ")
	u, err := url.ParseRequestURI(path)
	at, ok := parsePath(u.Path)
	if err != nil || !ok {
		return request
	}
	verb := strings.ToLower(method)
	if verb == "get" && at.name == "" {
		verb = "list"
	}
	return strings.TrimSuffix(verb+" "+at.plural+"/"+at.sub, "/")
}
