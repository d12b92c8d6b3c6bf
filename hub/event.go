package hub

import (
	"encoding/json"
	"fmt"
	"strings"

	"octo-operator/bounds"
)

// The callbacks, without the suffix Async.
const (
	PoolDeployed     = "PoolDeployed"
	PoolUndeployed   = "PoolUndeployed"
	WorkloadDeploy   = "WorkloadDeployed"
	WorkloadUndeploy = "WorkloadUndeployed"
	ScaleWorkload    = "ScaleWorkload"
	PreUpdateTenant  = "PreUpdateTenant"
)

// Callbacks are the names an Event may carry.
var Callbacks = []string{PoolDeployed, PoolUndeployed, WorkloadDeploy, WorkloadUndeploy, ScaleWorkload, PreUpdateTenant}

// canonical maps what a controller may call to one of Callbacks. G4 calls a pool a deployment site; it is the same thing.
var canonical = map[string]string{
	"pooldeployed":             PoolDeployed,
	"poolundeployed":           PoolUndeployed,
	"deploymentsitedeployed":   PoolDeployed,
	"deploymentsiteundeployed": PoolUndeployed,
	"workloaddeployed":         WorkloadDeploy,
	"workloadundeployed":       WorkloadUndeploy,
	"scaleworkload":            ScaleWorkload,
	"preupdatetenant":          PreUpdateTenant,
}

// Event is one callback, in one shape for all generations: the argument is always an object.
type Event struct {
	Callback string          `json:"callback"`
	Argument json.RawMessage `json:"argument"`
}

// UnknownCallbackError is a callback that this operator does not know: a newer controller's. Its name is cut off at longestName.
type UnknownCallbackError struct{ Name string }

func (e *UnknownCallbackError) Error() string {
	return fmt.Sprintf("callback %q is not known: known are %s", e.Name, strings.Join(Callbacks, ", "))
}

// longestName bounds in bytes what the log has of a name that nobody knows.
const longestName = 100

// ParseEvent takes a callback's name (with or without Async) and its arguments as they come over the wire. More
// arguments than known are ignored: a newer controller may add some.
func ParseEvent(target string, arguments []json.RawMessage) (Event, error) {
	lower := strings.TrimSuffix(strings.ToLower(target), "async")
	name, known := canonical[lower]
	if !known {
		return Event{}, &UnknownCallbackError{bounds.Cut(target, longestName)}
	}
	if len(arguments) == 0 {
		return Event{}, fmt.Errorf("cannot take %s: it came without arguments", target)
	}
	argument, err := oneObject(name, strings.HasPrefix(lower, "deploymentsite"), arguments)
	if err != nil {
		return Event{}, fmt.Errorf("cannot take %s: %w", target, err)
	}
	return Event{Callback: name, Argument: argument}, nil
}

// oneObject turns positional string arguments into the object that the other callbacks have.
func oneObject(name string, site bool, arguments []json.RawMessage) (json.RawMessage, error) {
	if (name != PoolUndeployed && name != PreUpdateTenant) || strings.HasPrefix(strings.TrimSpace(string(arguments[0])), "{") {
		return arguments[0], nil
	}
	tenant, err := Decode[string](arguments[0])
	if err != nil {
		return nil, err
	}
	if name == PreUpdateTenant {
		return json.Marshal(Tenant{tenant})
	}
	if len(arguments) < 2 {
		return nil, fmt.Errorf("it came with 1 argument: 2 are needed, the tenant id and the pool")
	}
	id, err := Decode[string](arguments[1])
	if err != nil {
		return nil, err
	}
	pool := Pool{TenantID: tenant}
	// The same callback carries the pool's name in G1 and its id in G3. The form tells: a runtime id is 24 hex digits.
	switch {
	case site:
		pool.DeploymentSiteRtID = id
	case IsRtID(id):
		pool.PoolRtID = id
	default:
		pool.PoolName = id
	}
	return json.Marshal(pool)
}
