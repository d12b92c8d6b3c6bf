package hub

import (
	"encoding/json"
	"fmt"
	"strings"

	"octo-operator/text"
)

// The callbacks, without the suffix Async. Two constants end in Callback, because the types of their arguments have the shorter names.
const (
	PoolDeployed               = "PoolDeployed"
	PoolUndeployed             = "PoolUndeployed"
	WorkloadDeployedCallback   = "WorkloadDeployed"
	WorkloadUndeployedCallback = "WorkloadUndeployed"
	ScaleWorkload              = "ScaleWorkload"
	PreUpdateTenant            = "PreUpdateTenant"
)

// Callbacks are the values that Event.Callback may have.
var Callbacks = []string{PoolDeployed, PoolUndeployed, WorkloadDeployedCallback, WorkloadUndeployedCallback, ScaleWorkload, PreUpdateTenant}

// canonical maps a controller's callback name, in lower case and without Async, to one of Callbacks. G4 calls a pool a deployment site.
var canonical = map[string]string{
	"pooldeployed":             PoolDeployed,
	"poolundeployed":           PoolUndeployed,
	"deploymentsitedeployed":   PoolDeployed,
	"deploymentsiteundeployed": PoolUndeployed,
	"workloaddeployed":         WorkloadDeployedCallback,
	"workloadundeployed":       WorkloadUndeployedCallback,
	"scaleworkload":            ScaleWorkload,
	"preupdatetenant":          PreUpdateTenant,
}

// Event is one callback of the controller. Its form is the same for all generations: Argument is always a JSON object.
type Event struct {
	Callback string          `json:"callback"`
	Argument json.RawMessage `json:"argument"`
}

// UnknownCallbackError says that this operator does not know a callback, as when the controller is newer. Name has at most longestName
// bytes.
type UnknownCallbackError struct{ Name string }

func (e *UnknownCallbackError) Error() string {
	return fmt.Sprintf("callback %q is not known: known are %s", e.Name, strings.Join(Callbacks, ", "))
}

// longestName is in bytes: how much of an unknown callback's name goes to the log.
const longestName = 100

// ParseEvent makes an event of a callback's name (with or without Async, in any case) and its arguments as they came over the wire.
// Additional arguments are ignored: a newer controller may send some. The error is an *UnknownCallbackError, or names the faulty
// argument; it never holds a value.
func ParseEvent(target string, arguments []json.RawMessage) (Event, error) {
	lower := strings.TrimSuffix(strings.ToLower(target), "async")
	name, known := canonical[lower]
	if !known {
		return Event{}, &UnknownCallbackError{text.Cut(target, longestName)}
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

// oneObject turns the positional string arguments of PoolUndeployed and PreUpdateTenant into an object, as the other callbacks have it.
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
	// The same callback carries the pool's name in G1 and its runtime id in G3. Only the form tells them apart.
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
