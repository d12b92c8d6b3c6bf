package handlers

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"octo-operator/hub"
	"octo-operator/kube"
)

// pools is what the cluster has of pools: their custom resources, as the watch last saw them.
type pools struct {
	mu        sync.Mutex
	resources map[resourceKey]kube.Pool
	last      map[string]string        // how each pool's registration went, by poolLabel
	listed    map[string]chan struct{} // by kind: closed when its first list has come
	statuses  chan kube.Pool           // to be written
}

type resourceKey struct{ kind, namespace, name string }

func keyOf(p kube.Pool) resourceKey { return resourceKey{p.Kind, p.Namespace, p.Name} }

func newPools() *pools {
	return &pools{
		resources: map[resourceKey]kube.Pool{}, last: map[string]string{}, statuses: make(chan kube.Pool, 10_000),
		listed: map[string]chan struct{}{kube.CommunicationPool.Kind: make(chan struct{})},
	}
}

func hubPool(p kube.Pool) hub.Pool {
	return hub.Pool{TenantID: p.TenantID, PoolName: p.PoolName, PoolRtID: p.PoolRtID, DeploymentSiteRtID: p.DeploymentSiteRtID}
}

// WatchPools keeps registered what has a custom resource, whoever made it, until ctx ends.
func (h *Handlers) WatchPools(ctx context.Context) {
	changes := kube.PoolChanges{All: h.allPools, Changed: h.poolChanged, Deleted: h.poolDeleted}
	var watches sync.WaitGroup
	for _, kind := range []kube.PoolKind{kube.CommunicationPool, kube.DeploymentSite} {
		watches.Go(func() { h.kubectl.WatchPools(ctx, kind, h.settings.WatchNamespace, changes) })
	}
	h.writeStatuses(ctx)
	watches.Wait()
}

func (h *Handlers) allPools(kind kube.PoolKind, all []kube.Pool) {
	for _, p := range all {
		h.poolChanged(p)
	}
	for _, known := range h.pools.all() {
		gone := func(p kube.Pool) bool { return keyOf(p) == keyOf(known) }
		if known.Kind == kind.Kind && !slices.ContainsFunc(all, gone) {
			h.poolDeleted(known)
		}
	}
	h.pools.mu.Lock()
	defer h.pools.mu.Unlock()
	if listed := h.pools.listed[kind.Kind]; listed != nil {
		close(listed)
		delete(h.pools.listed, kind.Kind)
	}
}

func (h *Handlers) poolChanged(p kube.Pool) {
	if err := hubPool(p).Check(); err != nil {
		h.log.Warn("pool not registered: its resource is not valid", "namespace", p.Namespace, "name", p.Name, "reason", err)
		h.pools.writeStatus(p, "Failed: "+err.Error())
		return
	}
	h.pools.mu.Lock()
	before, known := h.pools.resources[keyOf(p)]
	h.pools.mu.Unlock()
	if known && hubPool(before) != hubPool(p) { // somebody made another pool of it
		h.poolDeleted(before)
	}
	h.pools.mu.Lock()
	h.pools.resources[keyOf(p)] = p
	status := h.pools.last[poolLabel(hubPool(p))]
	h.pools.mu.Unlock()
	h.controller.RegisterPool(hubPool(p))
	if status != "" { // it was registered before its resource was seen
		h.pools.writeStatus(p, status)
	}
}

func (h *Handlers) poolDeleted(p kube.Pool) {
	h.pools.mu.Lock()
	delete(h.pools.resources, keyOf(p))
	h.pools.mu.Unlock()
	if len(h.pools.of(hubPool(p))) == 0 { // a controller's upgrade may leave a pool with a resource of each kind
		h.pools.setLast(hubPool(p), "")
		h.controller.UnregisterPool(hubPool(p))
	}
}

func (p *pools) all() []kube.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []kube.Pool
	for _, r := range p.resources {
		all = append(all, r)
	}
	return all
}

// of returns the resources of a pool, whatever it is called.
func (p *pools) of(pool hub.Pool) []kube.Pool {
	return slices.DeleteFunc(p.all(), func(r kube.Pool) bool {
		return r.TenantID != pool.TenantID || hubPool(r).ID() != pool.ID()
	})
}

// PoolStatus is told how a pool's registration goes, and writes it into the pool's resources.
func (h *Handlers) PoolStatus(pool hub.Pool, status string) {
	h.pools.setLast(pool, status)
	for _, resource := range h.pools.of(pool) {
		h.pools.writeStatus(resource, status)
	}
}

func (p *pools) setLast(pool hub.Pool, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == "" {
		delete(p.last, poolLabel(pool))
		return
	}
	p.last[poolLabel(pool)] = status
}

func (p *pools) writeStatus(resource kube.Pool, status string) {
	if resource.Status == status {
		return
	}
	resource.Status = status
	p.mu.Lock()
	if _, known := p.resources[keyOf(resource)]; known {
		p.resources[keyOf(resource)] = resource
	}
	p.mu.Unlock()
	select {
	case p.statuses <- resource:
	default: // a status is for people to look at: it must not hold up a registration
	}
}

// statusWait lets what is superseded soon not be written at all.
const statusWait = 200 * time.Millisecond

func (h *Handlers) writeStatuses(ctx context.Context) {
	for {
		newest := map[resourceKey]kube.Pool{}
		collect := func(p kube.Pool) { newest[keyOf(p)] = p }
		select {
		case p := <-h.pools.statuses:
			collect(p)
		case <-ctx.Done():
			return
		}
		full := time.After(statusWait)
		for waiting := true; waiting; {
			select {
			case p := <-h.pools.statuses:
				collect(p)
			case <-full:
				waiting = false
			}
		}
		var batch []kube.Pool
		for _, p := range newest {
			batch = append(batch, p)
		}
		if err := h.kubectl.WritePoolStatus(ctx, fieldManager, batch); err != nil && ctx.Err() == nil {
			h.log.Warn("status of pools not written", "pools", len(batch), "reason", err)
		}
	}
}

// Registered is called after each registration at the controller. In central mode every deployed pool must have its
// custom resource and broker secret, and the controller is told what is deployed.
func (h *Handlers) Registered(ctx context.Context, deployed []hub.Pool) {
	if !h.settings.AutoManagePools {
		return
	}
	h.pools.waitForList(ctx)
	secrets, err := h.kubectl.SecretNames(ctx, h.settings.PoolNamespace, group+"/managed-by=communication-operator")
	if err != nil {
		h.log.Warn("broker secrets not looked up: they are applied again", "reason", err)
	}
	for _, pool := range deployed {
		if err := h.ensurePool(pool, secrets); err != nil {
			h.log.Error("pool not made sure of", "tenant", pool.TenantID, "pool", pool.ID(), "reason", err)
		}
	}
	if err := h.reportDeployedState(ctx, deployed); err != nil {
		h.log.Warn("deployed state not reported", "reason", err)
	}
}

// longestListWait bounds how long a registration waits for the first list of pools.
const longestListWait = 10 * time.Second

func (p *pools) waitForList(ctx context.Context) {
	p.mu.Lock()
	listed := p.listed[kube.CommunicationPool.Kind]
	p.mu.Unlock()
	if listed == nil {
		return
	}
	select {
	case <-listed:
	case <-time.After(longestListWait):
	case <-ctx.Done():
	}
}

// ensurePool lets a pool that lacks its objects take the way of its event.
func (h *Handlers) ensurePool(pool hub.Pool, secrets map[string]bool) error {
	name, err := dnsName(pool.TenantID, pool.ID())
	if err != nil {
		return err
	}
	hasResource := slices.ContainsFunc(h.pools.of(pool), func(r kube.Pool) bool {
		return r.Name == name && r.Namespace == h.settings.PoolNamespace && hubPool(r) == pool
	})
	needsSecret := h.settings.Broker.User != "" || h.settings.Broker.Password != ""
	if hasResource && (secrets[brokerSecret(name)] || !needsSecret) {
		return nil
	}
	argument, err := json.Marshal(pool)
	if err != nil {
		return err
	}
	return h.Accept(hub.Event{Callback: hub.PoolDeployed, Argument: argument}, nil)
}

// reportDeployedState tells the controller every owned pool with the workloads whose releases are healthy.
func (h *Handlers) reportDeployedState(ctx context.Context, deployed []hub.Pool) error {
	owned := slices.Clone(deployed)
	for _, r := range h.pools.all() {
		same := func(p hub.Pool) bool { return p.TenantID == r.TenantID && p.ID() == hubPool(r).ID() }
		if !slices.ContainsFunc(owned, same) {
			owned = append(owned, hubPool(r))
		}
	}
	healthy, err := h.healthyWorkloads(ctx)
	if err != nil {
		return err
	}
	report := []hub.DeployedPool{}
	for _, pool := range owned {
		workloads := append([]string{}, healthy[poolLabel(pool)]...)
		slices.Sort(workloads)
		report = append(report, hub.DeployedPool{Pool: pool, WorkloadRtIDs: workloads})
	}
	return h.controller.ReportDeployedState(ctx, report)
}

// poolLabel is a pool as the labels of its releases say it: the same whatever the pool is called.
func poolLabel(pool hub.Pool) string { return labelValue(pool.TenantID) + "/" + labelValue(pool.ID()) }

// healthyWorkloads reads the releases' labels, with one request for each namespace.
func (h *Handlers) healthyWorkloads(ctx context.Context) (map[string][]string, error) {
	namespaces := []string{h.settings.PoolNamespace}
	if p := h.settings.PlatformNamespace; p != "" && p != h.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	healthy := map[string][]string{}
	for _, namespace := range namespaces {
		releases, err := h.kubectl.Releases(ctx, namespace, group+"/managed-by=communication-operator")
		if err != nil {
			return nil, err
		}
		for _, labels := range releases {
			rtID := labels[group+"/workload-rt-id"]
			if labels["status"] != "deployed" || rtID == "" {
				continue
			}
			pool := firstSet(labels[group+"/deployment-site-rt-id"], labels[group+"/pool-rt-id"], labels[group+"/pool"])
			key := labels[group+"/tenant"] + "/" + pool
			healthy[key] = append(healthy[key], rtID)
		}
	}
	return healthy, nil
}
