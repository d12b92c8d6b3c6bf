package journal

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"octo-operator/kube"
)

const (
	// beatInterval is how often an operator says that it is alive, and looks for what others have left.
	beatInterval = 3 * time.Second
	// leaseDuration without a beat, and an operator counts as dead. It is measured with the clock of the one who looks, and
	// only while the API server answers: clocks differ, and after an outage everybody's last beat is old.
	leaseDuration = 15 * time.Second
	// abandonedLease is when a Lease goes whose operator has left nothing that would make somebody look at it.
	abandonedLease = 24 * time.Hour
	leaseAPI       = "/apis/coordination.k8s.io/v1/namespaces/"
)

type lease struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

type leaseSpec struct {
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds"`
	RenewTime            string `json:"renewTime"`
}

func leaseName(identity string) string { return "octo-operator-" + identity }

func (j *Journal) leasePath(identity string) string {
	path := leaseAPI + j.o.LeaseIn + "/leases"
	if identity != "" {
		path += "/" + leaseName(identity)
	}
	return path
}

// Run says every few seconds that this operator is alive, looks for what others have left, and copies changes to the cluster,
// until ctx ends; then it copies what is still to be copied, for as long as lastCopies says then, gives the Lease up and returns.
func (j *Journal) Run(ctx context.Context, lastCopies func() time.Duration) {
	if j == nil {
		return
	}
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var writing sync.WaitGroup
	write := func() { j.writeChanges(last) }
	for range inBackground {
		writing.Go(write)
	}
	j.removeAbandonedLeases(ctx)
	for ctx.Err() == nil {
		j.beat(ctx)
		select {
		case <-time.After(beatInterval):
		case <-ctx.Done():
		}
	}
	time.AfterFunc(lastCopies(), cancel)
	j.close()
	for range writers - inBackground { // now the end of the operator waits
		writing.Go(write)
	}
	writing.Wait()
	cancel()
	// With time of its own: an operator that has none left for its copies would also keep its successor waiting for 15 s.
	leaving, end := context.WithTimeout(context.WithoutCancel(ctx), giveUpTime)
	defer end()
	j.giveUp(leaving)
}

// giveUpTime is what the API server gets to delete the Lease.
const giveUpTime = 500 * time.Millisecond

// close ends writeChanges when everything is written.
func (j *Journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.dirtyAgain()
}

func (j *Journal) ending() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

func (j *Journal) giveUp(ctx context.Context) {
	if err := j.api.Do(ctx, "DELETE", j.leasePath(j.o.Identity), nil, nil); err != nil && !kube.NotFound(err) {
		j.log.Warn("the next operator waits until this one's Lease has run out", "seconds", leaseDuration.Seconds(), "reason", err)
	}
}

// beat is one round.
func (j *Journal) beat(ctx context.Context) {
	err := j.renew(ctx)
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, kube.ErrUnreachable) {
		j.holders.unseen()
		return
	}
	if j.turn(err != nil) && err != nil {
		j.log.Warn("events are kept on disk alone: they do not survive a pod that is replaced with its disk", "reason", err)
	}
	if err != nil {
		return
	}
	if err := j.look(ctx); err != nil && ctx.Err() == nil {
		j.holders.unseen()
		j.log.Debug("not looked for events of other operators", "reason", err)
	}
	j.again()
}

// turn lets Hold go on and says whether there are copies. Without a Lease there are none: nobody could tell that their
// operator is alive. It reports whether that is news.
func (j *Journal) turn(off bool) (news bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	news, j.off = j.off != off, off
	select {
	case <-j.leased:
	default:
		close(j.leased)
	}
	return news
}

// again makes those lanes dirty that could not be written.
func (j *Journal) again() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dirtyAgain()
}

// dirtyAgain is again with j.mu held.
func (j *Journal) dirtyAgain() {
	for _, l := range j.lanes {
		if l.written != l.changes {
			j.dirty[l] = true
		}
	}
	j.wake.Broadcast()
}

func (j *Journal) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseDuration/2)
	defer cancel()
	own := lease{
		APIVersion: "coordination.k8s.io/v1", Kind: "Lease",
		Metadata: metadata{Name: leaseName(j.o.Identity), Namespace: j.o.LeaseIn, Labels: map[string]string{label: j.cluster}},
		Spec: leaseSpec{
			HolderIdentity: j.o.Identity, LeaseDurationSeconds: int(leaseDuration.Seconds()),
			RenewTime: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		},
	}
	path := j.leasePath(j.o.Identity) + "?force=true&fieldManager=octo-communication-operator"
	return j.api.Do(ctx, "PATCH", path, kube.Patch{Type: kube.ApplyPatch, Object: own}, nil)
}

// look finds lanes in which a dead operator has left something, and the first time, those of an earlier life of this one.
func (j *Journal) look(ctx context.Context) error {
	selector := label + "=" + j.cluster
	if j.looked { // a backlog makes thousands, and those are known
		selector += "," + holderLabel + "!=" + j.o.Identity
	}
	observed := map[string]bool{j.o.Identity: true}
	for _, namespace := range j.o.Namespaces {
		all, err := j.api.Metadata(ctx, "/api/v1/namespaces/"+namespace+"/secrets?labelSelector="+url.QueryEscape(selector))
		if err != nil {
			return err
		}
		for _, s := range all {
			holder, name := s.Labels[holderLabel], s.Annotations[laneKey]
			if name == "" {
				continue // made by somebody else
			}
			if !observed[holder] {
				if err := j.observe(ctx, holder); err != nil {
					return err
				}
				observed[holder] = true
			}
			j.lookAt(Lane{name, namespace}, holder, s.Labels[waitingLabel] != "")
		}
	}
	j.looked = true
	return nil
}

// lookAt is told whose a lane is in the cluster, or who waits for it.
func (j *Journal) lookAt(l Lane, holder string, waits bool) {
	j.mu.Lock()
	own, left := j.lanes[l.Name], false
	switch {
	case holder == j.o.Identity: // by an earlier life, unless it was written in this one
		left = own == nil || !own.held && !own.found
	case own != nil && own.held && !waits: // lost: writing will show it
		own.changes++
		j.dirty[own] = true
	case !j.holders.alive(holder):
		left = own == nil || !own.found
	}
	if left {
		j.at(l).found = true
	}
	j.mu.Unlock()
	if left {
		j.o.Found(l.Name)
	}
}

// removeAbandonedLeases tidies up after operators that were killed and had nothing to do then.
func (j *Journal) removeAbandonedLeases(ctx context.Context) {
	var all struct{ Items []lease }
	if j.api.Do(ctx, "GET", j.leasePath("")+"?labelSelector="+label+"%3D"+j.cluster, nil, &all) != nil {
		return // it is tidiness alone
	}
	for _, l := range all.Items {
		renewed, err := time.Parse(time.RFC3339, l.Spec.RenewTime)
		if err == nil && time.Since(renewed) > abandonedLease && strings.HasPrefix(l.Metadata.Name, "octo-operator-") {
			_ = j.api.Do(ctx, "DELETE", leaseAPI+j.o.LeaseIn+"/leases/"+l.Metadata.Name, nil, nil)
		}
	}
}
