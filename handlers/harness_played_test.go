package handlers_test

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"octo-operator/hub"
)

// played is what a test has told the tools to do, and what they and the operator have done. Subtests share it.
type played struct {
	mu       sync.Mutex
	calls    []*call
	replaced []replacement
	holders  []*hold
	ends     []string
	pulls    []string // charts that repositories were asked for
	pulling  func(w http.ResponseWriter, request *http.Request, usual func())
	requests []string // that the operator itself has sent to the API server, "GET /api/…"
	asOthers []string // those of them with somebody else's rights, "GET /api/… as NAME"
}

// run carries a tool's call out.
func (l *life) run(c *call) int {
	if l.cut.Load() {
		return 1
	}
	r := l.rig
	r.mu.Lock()
	r.calls = append(r.calls, c)
	i := slices.IndexFunc(r.replaced, func(x replacement) bool { return c.is(x.pattern) })
	var instead func(*call, func() int) int
	if i >= 0 {
		instead = r.replaced[i].instead
	}
	r.mu.Unlock()
	usual := func() int { return r.helm(c) }
	switch c.tool {
	case "kubectl":
		usual = func() int { return r.kubectl(c) }
	case "octo-operator":
		usual = func() int { return c.look(c.path(c.word(1))) }
	}
	if instead == nil {
		return usual()
	}
	return instead(c, usual)
}

// impersonated are the operator's own requests with somebody else's rights.
func (r *rig) impersonated() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asOthers)
}

// replacement is what a test lets a tool do.
type replacement struct {
	pattern string
	instead func(*call, func() int) int
}

// when lets a tool do something else, or something besides what is usual, when it is called with these first words, such as
// "helm get values". The newest replacement counts.
func (r *rig) when(pattern string, instead func(c *call, usual func() int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced = slices.Insert(r.replaced, 0, replacement{pattern, instead})
}

// fails lets a tool fail with these words on stderr.
func (r *rig) fails(pattern, words string) {
	r.when(pattern, func(c *call, _ func() int) int { c.say("%s", words); return 1 })
}

// usually ends all replacements.
func (r *rig) usually() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaced, r.pulling = nil, nil
}

// hold lets a helm hang while it waits for a release to become ready, or to be gone.
type hold struct {
	verb     string
	of       string // the release
	reached  chan struct{}
	released chan struct{}
	failure  string
	once     sync.Once
	taken    bool // by a call
}

// hold lets the next helm with that verb, "upgrade" or "uninstall", wait for a workload's release.
func (r *rig) hold(verb, workload string) *hold { return r.holdNamed(verb, releaseName(workload)) }

// holdNamed is hold for a release of that name.
func (r *rig) holdNamed(verb, release string) *hold {
	h := &hold{verb: verb, of: release, reached: make(chan struct{}), released: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders = append(r.holders, h)
	return h
}

func (h *hold) release() { h.once.Do(func() { close(h.released) }) }

// fail lets helm give up.
func (h *hold) fail(failure string) { h.failure = failure; h.release() }

// die lets helm die of a SIGKILL, as for a lack of memory.
func (h *hold) die() { h.fail(died) }

// holder finds the hold for a call, which it is used up by.
func (r *rig) holder(c *call) *hold {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.holders {
		if !h.taken && h.verb == c.word(0) && h.of == c.word(1) {
			h.taken = true
			return h
		}
	}
	return nil
}

// reach waits until helm hangs.
func (r *rig) reach(h *hold) {
	r.Helper()
	select {
	case <-h.reached:
	case <-time.After(patience):
		r.Fatalf("helm %s of %s does not begin", h.verb, h.of)
	}
}

// acceptAndHold hands an event to the operator, and waits until the helm with that verb hangs for the workload's release.
func (r *rig) acceptAndHold(verb, workload string, e hub.Event) (*hold, accepted) {
	r.Helper()
	h := r.hold(verb, workload)
	a := r.accept(e)
	r.reach(h)
	return h, a
}

// looks are commands that change nothing, or that are not the event's own.
var looks = []string{"kubectl proxy", "kubectl get", "kubectl version", "helm version", "helm get"}

// commands are what helm and kubectl were told to do so far, oldest first, without those that only look.
func (r *rig) commands() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, c := range r.calls {
		if !slices.ContainsFunc(looks, c.is) {
			all = append(all, c.String())
		}
	}
	return all
}

// called are the calls that begin with these words.
func (r *rig) called(pattern string) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.calls), func(c *call) bool { return !c.is(pattern) })
}
