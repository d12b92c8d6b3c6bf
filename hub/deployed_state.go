package hub

import (
	"context"
	"encoding/json"
	"errors"
)

const methodDeployedState = "ReportDeployedStateAsync"

// ReportDeployedState tells the controller everything that is deployed, over the connection that is up. ErrUnsupported means
// that this controller cannot be told: G1 knows no such thing, and a later one that lacks the method was warned about. After any
// other error it can be tried again.
func (c *Client) ReportDeployedState(ctx context.Context, pools []DeployedPool) error {
	s := c.current()
	if s == nil {
		return errors.New("cannot report the deployed state: not connected to the controller")
	}
	if s.generation == G1 {
		return ErrUnsupported
	}
	for _, part := range s.inParts(pools) {
		_, err := s.invoke(ctx, methodDeployedState, part)
		if unsupported(err) {
			s.log.Warn("the controller lacks a method: it is not told what is deployed", "method", methodDeployedState)
			return ErrUnsupported
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inParts splits the pools over several calls, as few as maxFrame allows. The workloads of one pool are never split: half of them
// could be taken for all.
func (s *session) inParts(pools []DeployedPool) [][]DeployedPool {
	const room = maxFrame - envelope - len(methodDeployedState) - len("[[]]")
	parts := [][]DeployedPool{{}} // nothing deployed is told too
	used := 0
	for _, pool := range pools {
		if pool.Named() {
			continue // left from G1: no later controller knows it
		}
		pool.Pool = pool.in(s.generation)
		length := jsonLength(pool)
		if length > room {
			s.warnTooLarge(pool)
			pool.WorkloadRtIDs = []string{}
			length = jsonLength(pool)
		}
		if used += length; used > room {
			parts, used = append(parts, []DeployedPool{}), length
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], pool)
	}
	return parts
}

// jsonLength is what a pool takes of a frame, with the comma after it.
func jsonLength(pool DeployedPool) int {
	text, _ := json.Marshal(pool) // plain strings
	return len(text) + 1
}

// warnTooLarge says once on a connection that a pool is reported without its workloads, as the reference operator reports every
// pool.
func (s *session) warnTooLarge(pool DeployedPool) {
	if _, before := s.tooLarge.LoadOrStore(pool.Key(), true); before {
		return
	}
	s.log.Warn("the pool is reported as deployed without its workloads: they do not fit into one message",
		"tenant", pool.TenantID, "pool", pool.ID(), "workloads", len(pool.WorkloadRtIDs))
}
