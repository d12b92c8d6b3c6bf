package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"octo-operator/hub"
)

// controller is what the operator tells. It outlives the operator's lives.
type controller struct {
	mu         sync.Mutex
	away       bool
	generation hub.Generation   // 0: it is not known
	refuse     map[string]error // by method
	told       []told
	read       map[string]int // how many of told a test has seen, by method and workload
	pools      map[string]hub.Pool
	deployed   [][]hub.DeployedPool
	tenants    []string
	rejoin     func(ctx context.Context, tenant string) error // of ReregisterTenant
	sessions   map[*session]bool                              // that live
}

// told is a report that has arrived.
type told struct {
	method   string
	argument json.RawMessage
}

func newController() *controller {
	return &controller{refuse: map[string]error{}, read: map[string]int{}, pools: map[string]hub.Pool{}, sessions: map[*session]bool{}}
}

// setAway lets the connection be down: reports wait in the operator. When it comes back they are delivered.
func (c *controller) setAway(away bool) {
	c.mu.Lock()
	c.away = away
	sessions := slices.Collect(maps.Keys(c.sessions))
	c.mu.Unlock()
	for _, s := range sessions {
		s.deliver()
	}
}

// setRefuse lets the controller refuse reports by a method for good; nil: take them.
func (c *controller) setRefuse(method string, reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse[method] = reason
}

// all are the reports by a method so far.
func (c *controller) all(method string) (arguments []json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.told {
		if t.method == method {
			arguments = append(arguments, t.argument)
		}
	}
	return arguments
}

// registered are the pools that are, as "tenant/id", sorted.
func (c *controller) registered() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.pools))
}

// deployedState is the newest that was told; nil: nothing was.
func (c *controller) deployedState() []hub.DeployedPool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.deployed) == 0 {
		return nil
	}
	return c.deployed[len(c.deployed)-1]
}

// timesDeployedState is how often the deployed state was told.
func (c *controller) timesDeployedState() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.deployed)
}

// reregistered are the tenants whose pools were registered again.
func (c *controller) reregistered() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.tenants)
}

// session is the connection of one life of the operator. It does what hub.Client does: keeps what cannot be delivered, and
// lets a newer report take the place of an older one with the same key.
type session struct {
	*controller
	status func(hub.Pool, string) // told how a registration went

	mu      sync.Mutex
	waiting []hub.Report
	cut     bool
	calls   sync.WaitGroup
}

func (c *controller) connect() *session {
	s := &session{controller: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[s] = true
	return s
}

// end cuts the session: nothing that its operator says arrives any more, and what waited in it is lost.
func (s *session) end() {
	s.controller.mu.Lock()
	delete(s.sessions, s)
	s.controller.mu.Unlock()
	s.mu.Lock()
	s.cut, s.waiting = true, nil
	s.mu.Unlock()
}

func (s *session) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cut
}

func poolKey(p hub.Pool) string { return p.TenantID + "/" + p.ID() }

// Generation implements handlers.Controller.
func (s *session) Generation() hub.Generation {
	s.controller.mu.Lock()
	defer s.controller.mu.Unlock()
	return s.generation
}

// RegisterPool implements handlers.Controller.
func (s *session) RegisterPool(p hub.Pool) {
	if !s.alive() {
		return
	}
	s.controller.mu.Lock()
	s.pools[poolKey(p)] = p
	s.controller.mu.Unlock()
	s.calls.Go(func() { s.status(p, "Registered") })
}

// UnregisterPool implements handlers.Controller.
func (s *session) UnregisterPool(p hub.Pool) {
	if !s.alive() {
		return
	}
	s.controller.mu.Lock()
	defer s.controller.mu.Unlock()
	delete(s.pools, poolKey(p))
}

// ReregisterTenant implements handlers.Controller.
func (s *session) ReregisterTenant(ctx context.Context, tenant string) error {
	s.controller.mu.Lock()
	s.tenants = append(s.tenants, tenant)
	rejoin := s.rejoin
	s.controller.mu.Unlock()
	if rejoin == nil {
		return nil
	}
	return rejoin(ctx, tenant)
}

// ReportDeployedState implements handlers.Controller.
func (s *session) ReportDeployedState(_ context.Context, pools []hub.DeployedPool) error {
	if !s.alive() {
		return errCut
	}
	s.controller.mu.Lock()
	defer s.controller.mu.Unlock()
	if s.away {
		return errCut
	}
	if err := s.refuse[methodDeployedState]; err != nil {
		return err
	}
	s.deployed = append(s.deployed, pools)
	return nil
}

var (
	errCut       = errors.New("not connected to the controller")
	errReplaced  = errors.New("a newer report took its place")
	errWithdrawn = errors.New("it is not true any more")
)

// Withdraw implements handlers.Controller.
func (s *session) Withdraw(method, key string) {
	s.takeOut(errWithdrawn, func(r hub.Report) bool { return r.Method == method && r.Key == key })
}

// takeOut ends what waits.
func (s *session) takeOut(why error, matches func(hub.Report) bool) {
	var out []hub.Report
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(r hub.Report) bool {
		if matches(r) {
			out = append(out, r)
		}
		return matches(r)
	})
	s.mu.Unlock()
	for _, r := range out {
		if r.Delivered != nil {
			r.Delivered(why)
		}
	}
}

// Report implements handlers.Controller.
func (s *session) Report(r hub.Report) {
	s.controller.mu.Lock()
	away := s.away
	s.controller.mu.Unlock()
	if away && r.Transient {
		return
	}
	s.takeOut(errReplaced, func(other hub.Report) bool { return r.Key != "" && other.Key == r.Key && other.Method == r.Method })
	s.mu.Lock()
	s.waiting = append(s.waiting, r)
	s.mu.Unlock()
	s.calls.Go(s.deliver)
}

// deliver hands over what waits, unless the controller is away.
func (s *session) deliver() {
	for {
		s.mu.Lock()
		s.controller.mu.Lock()
		if s.cut || s.away || len(s.waiting) == 0 {
			s.controller.mu.Unlock()
			s.mu.Unlock()
			return
		}
		r := s.waiting[0]
		s.waiting = s.waiting[1:]
		err := s.refuse[r.Method]
		if err == nil {
			argument, _ := json.Marshal(r.Arguments[0])
			s.told = append(s.told, told{r.Method, argument})
		}
		s.controller.mu.Unlock()
		s.mu.Unlock()
		if r.Delivered != nil {
			r.Delivered(err)
		}
	}
}

// next is the oldest report by a method on a workload that the test has not asked for yet.
func (c *controller) next(method, workload string) (json.RawMessage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, seen := method+" "+workload, 0
	for _, t := range c.told {
		var about struct{ WorkloadName string }
		if t.method != method || json.Unmarshal(t.argument, &about) != nil || about.WorkloadName != workload {
			continue
		}
		if seen++; seen > c.read[key] {
			c.read[key] = seen
			return t.argument, true
		}
	}
	return nil, false
}

const (
	methodDeploymentStatus = "ReportWorkloadDeploymentStatusAsync"
	methodScaleStatus      = "ReportWorkloadScaleStatusAsync"
	methodProgress         = "ReportWorkloadDeploymentProgressAsync"
	methodDeployedState    = "ReportDeployedStateAsync"
)

// nextReport waits for the next report by a method on a workload.
func nextReport[T any](r *rig, method, workload string) (report T) {
	r.Helper()
	r.eventually(fmt.Sprintf("a report by %s on %s", method, workload), func() bool {
		argument, ok := r.controller.next(method, workload)
		return ok && json.Unmarshal(argument, &report) == nil
	})
	return report
}

// wantProgress waits for the next word on what happens to a workload.
func (r *rig) wantProgress(workload, message string) {
	r.Helper()
	if p := nextReport[hub.WorkloadDeploymentProgress](r, methodProgress, workload); p.Message != message {
		r.Errorf("progress: %+v, want %s", p, message)
	}
}

// status waits for the next word on how a deploy ended.
func (r *rig) status(workload string) hub.WorkloadDeploymentStatus {
	r.Helper()
	return nextReport[hub.WorkloadDeploymentStatus](r, methodDeploymentStatus, workload)
}

// wantSuccess waits for the next word on how a deploy ended, which must be well.
func (r *rig) wantSuccess(workload string) {
	r.Helper()
	if s := r.status(workload); !s.Success {
		r.Errorf("status: %+v", s)
	}
}
