package devcontroller

import (
	"context"
	"encoding/json"
	"slices"
)

// Redispatch makes the controller behave like a real one at each registration of a pool: before it answers, it sends every pending
// workload of the pool again, with IsReconciliation set. edit may change each of them, for example leave out the version. Before
// Redispatch is called, nothing is sent again.
func (s *Server) Redispatch(edit func(Workload) Workload) {
	s.change(func() { s.redispatch = edit })
}

// Pending returns the workloads whose newest Deploy has had no status yet and no Undeploy after it, oldest first. It does not know events
// that were sent by Send.
func (s *Server) Pending() []Workload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pending)
}

func (s *Server) setPending(pending []Workload) { s.change(func() { s.pending = pending }) }

// without removes the workload that w replaces. In G1 a workload is known by its name, later by its rtId.
func without(pending []Workload, w Workload) []Workload {
	return slices.DeleteFunc(slices.Clone(pending), func(older Workload) bool {
		return older.Pool == w.Pool && older.RtID == w.RtID && (w.RtID != "" || older.Name == w.Name)
	})
}

// sendAgain sends the pending workloads of a pool to its new owner. s.sending is held.
func (s *Server) sendAgain(c *connection, pool Pool) error {
	s.mu.Lock()
	edit := s.redispatch
	s.mu.Unlock()
	if edit == nil {
		return nil
	}
	for _, w := range s.Pending() {
		if w.Pool != pool {
			continue
		}
		w.IsReconciliation = true
		frame, err := callbackFrame("WorkloadDeployedAsync", []any{edit(w).deployed(c.generation)})
		if err == nil {
			err = c.enqueue(context.Background(), frame) // ends with the connection
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reportStatus ends the pending deploy that the status is about. The status of an older deploy, which may have had another name, ends
// nothing.
func reportStatus(c *connection, call Call) (any, error) {
	var status struct{ TenantID, WorkloadName, WorkloadRtID string }
	if err := json.Unmarshal(call.Args[0], &status); err != nil {
		return nil, err
	}
	c.server.change(func() {
		c.server.pending = slices.DeleteFunc(slices.Clone(c.server.pending), func(w Workload) bool {
			return w.Pool.TenantID == status.TenantID && w.RtID == status.WorkloadRtID && w.Name == status.WorkloadName
		})
	})
	return nil, nil
}
