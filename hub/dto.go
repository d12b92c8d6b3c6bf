package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Pool identifies a pool. Which of the three identities is set depends on the controller's generation: poolName in G1, poolRtId in G3,
// deploymentSiteRtId in G4.
type Pool struct {
	TenantID           string `json:"tenantId"`
	PoolName           string `json:"poolName,omitempty"`
	PoolRtID           string `json:"poolRtId,omitempty"`
	DeploymentSiteRtID string `json:"deploymentSiteRtId,omitempty"`
}

// ID returns the pool's identity within its tenant: a runtime id, or the pool's name in G1; empty: none is set.
func (p Pool) ID() string {
	switch {
	case p.DeploymentSiteRtID != "":
		return p.DeploymentSiteRtID
	case p.PoolRtID != "":
		return p.PoolRtID
	}
	return p.PoolName
}

// Named tells whether the pool is known only by its name, as in G1, where releases are named after workloads' names too.
func (p Pool) Named() bool { return p.PoolRtID == "" && p.DeploymentSiteRtID == "" }

// Check returns an error that names the field that is missing or malformed.
func (p Pool) Check() error {
	switch {
	case p.TenantID == "":
		return fmt.Errorf("tenantId is empty")
	case p.ID() == "":
		return fmt.Errorf("poolRtId is empty (poolName or deploymentSiteRtId in other generations)")
	case !p.Named() && !IsRtID(p.ID()):
		return fmt.Errorf("poolRtId %q is not 24 lowercase hexadecimal digits", p.ID())
	}
	return nil
}

var rtID = regexp.MustCompile(`^[a-f0-9]{24}$`)

// IsRtID tells whether s has the form of a runtime id: 24 lowercase hexadecimal digits.
func IsRtID(s string) bool { return rtID.MatchString(s) }

// WorkloadType decides the namespace of a release and whether it may get the cluster's secrets.
type WorkloadType int

// The workload types of the contract.
const (
	Adapter WorkloadType = iota
	Application
	AdapterPool
)

var workloadTypes = []string{"Adapter", "Application", "AdapterPool"}

// unknownType stands for any other type. UnmarshalJSON returns no error for it: an error would leave the rest of the event unread, and
// the operator could not report whose event failed.
const unknownType WorkloadType = -1

// Known tells whether t is a type of the contract.
func (t WorkloadType) Known() bool { return t != unknownType }

// UnmarshalJSON accepts the number or the name (in any case). null leaves t unchanged. It never returns an error: see Known.
func (t *WorkloadType) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" {
		return nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(workloadTypes) {
		*t = WorkloadType(n)
		return nil
	}
	for i, name := range workloadTypes {
		if strings.EqualFold(name, text) {
			*t = WorkloadType(i)
			return nil
		}
	}
	*t = unknownType
	return nil
}

// Workload identifies a workload and its pool.
type Workload struct {
	Pool
	WorkloadName string       `json:"workloadName"`
	WorkloadRtID string       `json:"workloadRtId"`
	WorkloadType WorkloadType `json:"workloadType"`
}

// WorkloadDeployed is the argument of WorkloadDeployedAsync.
type WorkloadDeployed struct {
	Workload
	RepositoryURL      string  `json:"repositoryUrl"`
	RepositoryUsername string  `json:"repositoryUsername,omitempty"`
	RepositoryPassword string  `json:"repositoryPassword,omitempty"`
	ChartName          string  `json:"chartName"`
	ChartVersion       string  `json:"chartVersion,omitempty"` // empty: the newest in the repository
	IsReconciliation   bool    `json:"isReconciliation,omitempty"`
	Hibernated         bool    `json:"hibernated,omitempty"`
	ValuesYaml         string  `json:"valuesYaml,omitempty"`
	Values             []Value `json:"values,omitempty"`

	ReceivesClusterSecrets bool   `json:"receivesClusterSecrets,omitempty"`
	IngressEnabled         bool   `json:"ingressEnabled,omitempty"`
	Hostname               string `json:"hostname,omitempty"`
}

// Value is one override of a workload's values. Value is always a string in transport, whatever type the chart expects.
type Value struct {
	Path     string `json:"path"`
	Value    string `json:"value"`
	IsSecret bool   `json:"isSecret,omitempty"`
}

// WorkloadUndeployed is the argument of WorkloadUndeployedAsync.
type WorkloadUndeployed struct {
	Workload
}

// WorkloadScale is the argument of ScaleWorkloadAsync.
type WorkloadScale struct {
	Workload
	Replicas int `json:"replicas"`
}

// Tenant is the argument of PreUpdateTenantAsync: the controller sends a bare string, which ParseEvent turns into an object.
type Tenant struct {
	TenantID string `json:"tenantId"`
}

// WorkloadDeploymentStatus reports how a deploy ended.
type WorkloadDeploymentStatus struct {
	TenantID      string `json:"tenantId"`
	PoolName      string `json:"poolName,omitempty"` // only in G1
	WorkloadName  string `json:"workloadName"`
	WorkloadRtID  string `json:"workloadRtId"`
	Success       bool   `json:"success"`
	StatusMessage string `json:"statusMessage,omitempty"`
}

// WorkloadDeploymentProgress reports what a deploy is waiting for.
type WorkloadDeploymentProgress struct {
	TenantID     string `json:"tenantId"`
	WorkloadName string `json:"workloadName"`
	WorkloadRtID string `json:"workloadRtId"`
	Message      string `json:"message"`
}

// WorkloadScaleStatus reports how a scaling ended.
type WorkloadScaleStatus struct {
	TenantID      string `json:"tenantId"`
	WorkloadRtID  string `json:"workloadRtId"`
	WorkloadName  string `json:"workloadName"`
	Replicas      int    `json:"replicas"`
	Success       bool   `json:"success"`
	StatusMessage string `json:"statusMessage,omitempty"`
}

// DeployedPool is a pool in the report of everything that is deployed.
type DeployedPool struct {
	Pool
	WorkloadRtIDs []string `json:"workloadRtIds"` // of the healthy releases; must not be nil: the controller expects a list
}

// Decode reads a callback's argument. Its error names the field and the expected type, but never a value, which may be secret.
func Decode[T any](argument json.RawMessage) (T, error) {
	var dto T
	err := json.Unmarshal(argument, &dto)
	if wrongType := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrongType) {
		field := embedded.ReplaceAllString(wrongType.Field, "")
		if field == "" {
			field = "the argument"
		}
		kind, _, _ := strings.Cut(wrongType.Value, " ") // "number 42": without the value
		return dto, fmt.Errorf("%s is a JSON %s, not %s", field, kind, jsonKind(wrongType.Type.Kind().String()))
	}
	return dto, err
}

// embedded matches the names of our embedded Go types in the path of a field: the sender does not know them.
var embedded = regexp.MustCompile(`\b[A-Z]\w*\.`)

func jsonKind(goKind string) string {
	switch goKind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "a list"
	case "int":
		return "a whole number of usual size"
	}
	return "a " + goKind
}
