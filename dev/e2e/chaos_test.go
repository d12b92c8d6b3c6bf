package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// Without flags the short version runs, as part of make test. The long one is make chaos.
var (
	chaosKills = flag.Int("chaos.kills", 0, "kills of the operator in the long version, which has the control plane for itself; 0: the short version")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "repeats the run with this seed; 0: the long version takes a new one, the short version always the same")
	chaosKeep  = flag.Bool("chaos.keep", false, "keeps the disks and logs of a run in which nothing was wrong, too")
	chaosLimit = flag.Duration("chaos.limit", 15*time.Minute, "the long version ends by itself within this time")
)

const (
	shortKills = 8
	shortSeed  = 9685             // a plan with few pauses and every kind of event, in which the node dies last, in the middle of deploys
	shortLimit = 30 * time.Minute // it takes about one minute; the machine may be busy
	plantedKey = "planted-in-chaos"

	helmTimeout = time.Minute // for helm, and also how long a deploy waits for its pods and for the repository
)

// chaos is a run of a plan: the releases of one tenant, those of another that hang, and everything that can break around them.
type chaos struct {
	*world
	slowPool   devcontroller.Pool // of the tenant whose deploys hang
	repository *repository
	plan       plan
	began      time.Time
	limit      time.Duration
	dir        string   // has everything: disks, logs, the trace
	states     []string // all disks so far, in order; the operator uses the last
	lives      []*life
	current    *life // the operator that leads, as far as is known; nil: there is none
	standby    *life // nil: there is none
	away       away

	sent    []sentEvent
	resent  atomic.Int64 // events that the controller itself has sent again
	kills   int          // SIGKILLs of the operator
	faults  map[faultKind]int
	missed  int // how often no helm was found to kill
	deposed int // number of operators that ended because another one led
	badEnds []string

	// Runs, by the names of their directories:
	helmVictims map[string]bool          // their helm was killed, so they may fail
	notCopied   map[string]time.Duration // they had no copy when their node died; their age then
}

func TestNothingIsLostStuckOrOutOfOrderWhateverIsKilled(t *testing.T) {
	kills, seed, limit := *chaosKills, *chaosSeed, *chaosLimit
	long := kills > 0
	switch {
	case !long:
		kills, limit = shortKills, shortLimit
		if seed == 0 {
			seed = shortSeed
		}
	case seed == 0:
		seed = uint64(time.Now().UnixNano()) % 1e6
	}
	c := newChaos(t, drawPlan(seed, kills, long && os.Getenv("OCTO_CLUSTER_DIR") != ""), limit)
	t.Logf("seed %d, plan %s: %d steps; everything is in %s", seed, c.plan.fingerprint(), len(c.plan.Steps), c.dir)
	c.breakThings()
	c.settle()
	stuck, _ := c.stuckReleases(c.fates())
	c.send(c.plan.Last)
	c.settle()
	wrongState := c.checkDeployedState()
	for _, l := range c.living() {
		c.endLife(l)
	}
	accounts := c.settleAccounts(stuck, wrongState)
	accounts.print(c)
	accounts.judge(c, kills)
}

// away counts the parts that are away now and come back by themselves.
type away struct{ api, controller, repository sync.WaitGroup }

func (a *away) wait() {
	a.api.Wait()
	a.controller.Wait()
	a.repository.Wait()
}

func newChaos(t *testing.T, p plan, limit time.Duration) *chaos {
	t.Helper()
	c := &chaos{
		world: newWorld(t, devcontroller.G3), plan: p, limit: limit, faults: map[faultKind]int{},
		helmVictims: map[string]bool{}, notCopied: map[string]time.Duration{},
		slowPool: devcontroller.Pool{TenantID: slowTenant, ID: "65d5c447b420da3fb12381bd"},
	}
	c.ctx = t.Context() // without the time limit of the other tests
	c.repository = newRepository(c.world)
	c.began = time.Now()
	var err error
	c.dir, err = os.MkdirTemp("", "octo-chaos-")
	c.must(err)
	t.Cleanup(func() {
		c.away.wait()
		killAllBelow(t, c.dir)
		if !t.Failed() && !*chaosKeep {
			_ = os.RemoveAll(c.dir)
		}
	})
	c.env = []string{"OPERATOR__KEEPRUNS=1000000", "OPERATOR__KEEPFAILEDHOURS=1000", "OPERATOR__HELM__TIMEOUT=" + helmTimeout.String()}
	c.swap(tracedScripts(c.dir))
	c.controller.SetPools(c.pool, c.slowPool)
	c.controller.Redispatch(c.sendAgain)
	c.current = c.startLife(c.newState())
	if p.Standby {
		c.standby = c.startLife(c.newState())
	}
	return c
}

// breakThings carries out the plan. It gets four fifths of the time; the rest is for finishing.
func (c *chaos) breakThings() {
	end := c.began.Add(c.limit * 4 / 5)
	for i, s := range c.plan.Steps {
		if time.Now().After(end) {
			c.Errorf("the time is over after %d of %d steps", i, len(c.plan.Steps))
			return
		}
		c.Logf("%6.1fs step %d: %v", time.Since(c.began).Seconds(), i+1, s)
		c.send(s.Events)
		time.Sleep(s.Fault.After)
		c.keepUp()
		c.inject(s.Fault)
		c.faults[s.Fault.Kind]++
	}
}

// sentEvent is an event that the controller has sent to a connection.
type sentEvent struct {
	event
	connection string // "": not certain
}

// sendAgain changes a workload that the controller sends again at a registration of its pool because it has no status yet: every second
// time it has no version, which means the installed one.
func (c *chaos) sendAgain(w devcontroller.Workload) devcontroller.Workload {
	if c.resent.Add(1)%2 == 0 {
		w.ChartVersion = ""
	}
	return w
}

// send sends events as soon as an operator has registered the pool; before that a real controller cannot send them to anyone.
func (c *chaos) send(events []event) {
	for _, e := range events {
		time.Sleep(e.Pause)
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			c.keepUp()
			before := c.owner(c.poolOf(e.Release))
			if before != "" && c.sendNow(before, e) == nil {
				s := sentEvent{event: e}
				if c.owner(c.poolOf(e.Release)) == before {
					s.connection = before
				}
				c.sent = append(c.sent, s)
				break
			}
			if time.Now().After(deadline) {
				c.Fatalf("no operator has registered the pool; the log is %s", c.current.log)
			}
		}
	}
}

// owner is the connection to which the controller sends: the newest one that has registered the pool.
func (c *chaos) owner(of devcontroller.Pool) (id string) {
	for _, connection := range c.controller.Connections() {
		for _, pool := range connection.Registered {
			if pool == of && connection.State == devcontroller.StateConnected {
				id = connection.ID
			}
		}
	}
	return id
}

func (c *chaos) sendNow(owner string, e event) error {
	w := c.workload(fmt.Sprintf("%s #%d", workloadName(e.Release), e.Number), rtIDOf(e.Release))
	w.Pool, w.RepositoryURL, w.ChartVersion = c.poolOf(e.Release), c.repository.URL, e.Version
	w.ValuesYaml = fmt.Sprintf("settings: {NUMBER: %d}", e.Number)
	w.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: plantedSecret(e.Number), IsSecret: true}}
	switch e.Kind {
	case undeploy:
		return c.controller.Undeploy(c.ctx, w)
	case scale:
		return c.controller.Scale(c.ctx, w, e.Replicas)
	case preUpdate:
		c.controller.ForgetRegistrations(c.pool.TenantID) // as a real controller does
		return c.controller.SendTo(c.ctx, owner, "PreUpdateTenantAsync", c.pool.TenantID)
	case badDeploy:
		w.ValuesYaml = badValues[e.Number%len(badValues)]
	case hang:
		w.ValuesYaml += "\npodAnnotations: {octo-dev/ready-after: 24h}"
	}
	return c.controller.Deploy(c.ctx, w)
}

// badValues are refused in the dry run: the first by the chart's schema, the second by the API server.
var badValues = []string{"port: 0", "settings: {'no key of a config map': a}"}

func plantedSecret(number int) string { return fmt.Sprintf("%s-%d.", plantedKey, number) }

const slowTenant = "globex"

// poolOf is the pool of a release: those that hang belong to another tenant.
func (c *chaos) poolOf(release int) devcontroller.Pool {
	if release < releases {
		return c.pool
	}
	return c.slowPool
}

func workloadName(release int) string {
	if release < releases {
		return fmt.Sprintf("shop-%d", release)
	}
	return fmt.Sprintf("slow-%d", release)
}

func rtIDOf(release int) string { return fmt.Sprintf("65d5c447b420da3fb12390%02x", release) }

func releaseName(release int) string {
	if release < releases {
		return "acme-" + rtIDOf(release)
	}
	return slowTenant + "-" + rtIDOf(release)
}

// waitUntil polls until the condition is true.
func (c *chaos) waitUntil(what string, limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(c.ctx, limit)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			c.Errorf("%s: not after %v", what, limit)
			return false
		case <-time.After(100 * time.Millisecond):
		}
		c.keepUp()
	}
	return true
}
