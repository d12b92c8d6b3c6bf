package devcontroller

import (
	"context"
	"encoding/json"
	"errors"
)

// Workload types of the contract.
const (
	Adapter     = 0
	Application = 1
	AdapterPool = 2
)

// Override is one entry of a workload's values. Value is text whatever the chart wants.
type Override struct {
	Path     string `json:"path"`
	Value    string `json:"value"`
	IsSecret bool   `json:"isSecret"`
}

// Workload is WorkloadDeployedDto. Pool is written as the generation of the connection wants
// it; an empty optional text is written as null.
type Workload struct {
	Pool                   Pool
	Name                   string
	RtID                   string // 24 lowercase hex
	Type                   int
	RepositoryURL          string
	RepositoryUsername     string
	RepositoryPassword     string
	ChartName              string
	ChartVersion           string // empty: the newest in the repository
	IsReconciliation       bool
	Hibernated             bool
	ValuesYaml             string
	Values                 []Override
	ReceivesClusterSecrets bool
	IngressEnabled         bool
	Hostname               string
}

// Deploy sends WorkloadDeployedAsync to the connection that registered the workload's pool.
func (s *Server) Deploy(ctx context.Context, w Workload) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	before := s.Pending()
	s.setPending(append(without(before, w), w)) // first: the status may be faster than the next line
	err := s.sendWorkload(ctx, "WorkloadDeployedAsync", w, w.deployed)
	if err != nil {
		s.setPending(before)
	}
	return err
}

// DeployArgument is the argument of the WorkloadDeployedAsync that Deploy sends to a connection of a generation, as JSON.
func (w Workload) DeployArgument(g Generation) ([]byte, error) { return json.Marshal(w.deployed(g)) }

// deployed is the DTO of a deploy.
func (w Workload) deployed(g Generation) map[string]any {
	dto := w.identity(g)
	dto["repositoryUrl"] = w.RepositoryURL
	dto["repositoryUsername"] = orNull(w.RepositoryUsername)
	dto["repositoryPassword"] = orNull(w.RepositoryPassword)
	dto["chartName"] = w.ChartName
	dto["chartVersion"] = w.ChartVersion
	dto["isReconciliation"] = w.IsReconciliation
	dto["hibernated"] = w.Hibernated
	dto["valuesYaml"] = w.ValuesYaml
	dto["values"] = append([]Override{}, w.Values...) // never null
	dto["receivesClusterSecrets"] = w.ReceivesClusterSecrets
	dto["ingressEnabled"] = w.IngressEnabled
	dto["hostname"] = orNull(w.Hostname)
	return dto
}

// Undeploy sends WorkloadUndeployedAsync; in G1 without the rtId, as that generation does.
func (s *Server) Undeploy(ctx context.Context, w Workload) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	err := s.sendWorkload(ctx, "WorkloadUndeployedAsync", w, func(g Generation) map[string]any {
		dto := w.identity(g)
		if g == G1 {
			dto["workloadRtId"] = ""
		}
		return dto
	})
	if err == nil {
		s.setPending(without(s.Pending(), w))
	}
	return err
}

// Scale sends ScaleWorkloadAsync, which G1 does not have.
func (s *Server) Scale(ctx context.Context, w Workload, replicas int) error {
	return s.sendWorkload(ctx, "ScaleWorkloadAsync", w, func(g Generation) map[string]any {
		if g == G1 {
			return nil
		}
		dto := w.identity(g)
		dto["replicas"] = replicas
		return dto
	})
}

// PoolDeployed sends PoolDeployedAsync or DeploymentSiteDeployedAsync to every connection.
func (s *Server) PoolDeployed(ctx context.Context, pool Pool) error {
	return s.toAll(ctx, "PoolDeployedAsync", func(c *connection) ([]byte, error) {
		callback := "PoolDeployedAsync"
		if c.generation == G4 {
			callback = "DeploymentSiteDeployedAsync"
		}
		return invocationFrame(callback, []any{pool.in(c.generation)})
	})
}

// PoolUndeployed sends PoolUndeployedAsync or DeploymentSiteUndeployedAsync to every connection.
func (s *Server) PoolUndeployed(ctx context.Context, pool Pool) error {
	return s.toAll(ctx, "PoolUndeployedAsync", func(c *connection) ([]byte, error) {
		callback := "PoolUndeployedAsync"
		if c.generation == G4 {
			callback = "DeploymentSiteUndeployedAsync"
		}
		return invocationFrame(callback, []any{pool.TenantID, pool.ID})
	})
}

// PreUpdateTenant sends PreUpdateTenantAsync to every connection. What they registered stays:
// see ForgetRegistrations.
func (s *Server) PreUpdateTenant(ctx context.Context, tenantID string) error {
	return s.SendAll(ctx, "PreUpdateTenantAsync", tenantID)
}

func (s *Server) sendWorkload(ctx context.Context, callback string, w Workload, dto func(Generation) map[string]any) error {
	owner, err := s.owner(w.Pool)
	if err != nil {
		return sendError(callback, err)
	}
	event := dto(owner.generation)
	if event == nil {
		return sendError(callback, errors.New("generation "+string(owner.generation)+" has no such callback"))
	}
	frame, err := callbackFrame(callback, []any{event})
	if err != nil {
		return err
	}
	return sendError(callback, owner.enqueue(ctx, frame))
}

// identity is what every workload DTO begins with.
func (w Workload) identity(g Generation) map[string]any {
	return map[string]any{
		"tenantId":     w.Pool.TenantID,
		g.poolKey():    w.Pool.ID,
		"workloadName": w.Name,
		"workloadRtId": w.RtID,
		"workloadType": w.Type,
	}
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
