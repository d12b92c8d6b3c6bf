package devcontroller

import (
	"encoding/json"
	"slices"
	"strings"
)

// What the controller itself does when its hub methods are invoked.

// Pool is a pool of a tenant, or a deployment site: ID is the name in G1, the rtId after.
type Pool struct {
	TenantID string
	ID       string
}

// in is the pool's DTO.
func (p Pool) in(g Generation) map[string]string {
	return map[string]string{"tenantId": p.TenantID, g.poolKey(): p.ID}
}

// registerOperator remembers the mode and returns every deployed Cloud pool.
func registerOperator(c *connection, call Call) (any, error) {
	var central *bool
	if len(call.Args) > 0 {
		if err := json.Unmarshal(call.Args[0], &central); err != nil {
			return nil, err
		}
	}
	pools := []map[string]string{}
	c.server.change(func() {
		c.central = central
		for _, pool := range c.server.pools {
			pools = append(pools, pool.in(c.generation))
		}
	})
	return pools, nil
}

func unregisterOperator(c *connection, _ Call) (any, error) {
	c.server.change(func() { c.registered = nil })
	return nil, nil
}

func registerPool(c *connection, call Call) (any, error) {
	pool, err := poolOf(c, call)
	if err != nil {
		return nil, err
	}
	c.server.sending.Lock() // no event may come between the pool's new owner and what is sent again
	defer c.server.sending.Unlock()
	c.server.change(func() {
		if c.state == StateConnected && !slices.Contains(c.registered, pool) {
			c.registered = append(c.registered, pool)
		}
	})
	return nil, c.server.sendAgain(c, pool)
}

func unregisterPool(c *connection, call Call) (any, error) {
	pool, err := poolOf(c, call)
	if err != nil {
		return nil, err
	}
	c.server.change(func() {
		c.registered = slices.DeleteFunc(slices.Clone(c.registered), func(p Pool) bool { return p == pool })
	})
	return nil, nil
}

// poolOf reads (tenantId, pool) arguments. From G3 on the controller refuses an id that is no
// rtId, in either case of letters.
func poolOf(c *connection, call Call) (Pool, error) {
	var pool Pool
	for i, into := range []*string{&pool.TenantID, &pool.ID} {
		if err := json.Unmarshal(call.Args[i], into); err != nil {
			return Pool{}, err
		}
	}
	if c.generation != G1 && !isRtID(strings.ToLower(pool.ID)) {
		return Pool{}, hubException("Invalid %s '%s' (tenant '%s'): must be a 24-character hex ObjectId.",
			c.generation.poolKey(), pool.ID, pool.TenantID)
	}
	return pool, nil
}

// reportDeployedState takes reports from central operators only.
func reportDeployedState(c *connection, _ Call) (any, error) {
	setting := "AutoManagePools"
	if c.generation == G4 {
		setting = "AutoManageDeploymentSites"
	}
	c.server.mu.Lock()
	central := c.central
	c.server.mu.Unlock()
	mode := "legacy (unknown)"
	if central != nil {
		mode = "edge (" + setting + "=false)"
	}
	if central == nil || !*central {
		return nil, hubException("ReportDeployedStateAsync is only allowed for Cloud operators (%s=true); "+
			"this connection declared mode: %s.", setting, mode)
	}
	return nil, nil
}
