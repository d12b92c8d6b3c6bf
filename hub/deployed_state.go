package hub

import (
	"context"
	"encoding/json"
	"errors"
)

const methodDeployedState = "ReportDeployedStateAsync"

// ReportDeployedState tells the controller everything that is deployed, over the current connection. ErrUnsupported means that this
// controller has no such method (G1, or a later one, about which a warning was logged). After any other error the call may be repeated.
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
			s.log.Warn("the controller lacks a method: the deployed state is not reported", "method", methodDeployedState)
			return ErrUnsupported
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inParts splits the pools over as few calls as maxFrame allows. The workloads of one pool are never split over two calls: the controller
// could take one half for all of them.
func (s *session) inParts(pools []DeployedPool) [][]DeployedPool {
	const room = maxFrame - envelope - len(methodDeployedState) - len("[[]]")
	parts := [][]DeployedPool{{}} // at least one call: it also says that nothing is deployed
	used := 0
	for _, pool := range pools {
		if pool.Named() {
			continue // a pool resource of G1: later controllers do not know it
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

// jsonLength returns the bytes that a pool takes in a frame, including the comma after it.
func jsonLength(pool DeployedPool) int {
	text, _ := json.Marshal(pool) // plain strings
	return len(text) + 1
}

// warnTooLarge logs, once per pool and connection, that a pool is reported without its workloads. The reference operator reports every pool in this
// way.
func (s *session) warnTooLarge(pool DeployedPool) {
	if _, before := s.tooLarge.LoadOrStore(pool.Key(), true); before {
		return
	}
	s.log.Warn("the pool is reported as deployed without its workloads: they do not fit into one message",
		"tenant", pool.TenantID, "pool", pool.ID(), "workloads", len(pool.WorkloadRtIDs))
}
