package dispatch

import (
	"context"
	"os"
	"time"

	"octo-operator/dispatch/journal"
)

// OpenJournal makes this operator take part in the election of a leader, and copies its unfinished events to the cluster. identity is the
// operator's: see runs.Store.Identity.
func (d *Dispatcher) OpenJournal(identity string) {
	d.lanes.Prepare = d.prepareLane
	if !d.settings.ClusterJournal {
		return
	}
	host, _ := os.Hostname() // for people
	d.leader = journal.NewLeader(d.cluster, journal.LeaderOptions{
		Identity: identity, Host: host, Controller: d.settings.ControllerURI, Namespace: d.settings.PoolNamespace,
	}, d.log)
	namespaces := []string{d.settings.PoolNamespace}
	if p := d.settings.PlatformNamespace; p != "" && p != d.settings.PoolNamespace {
		namespaces = append(namespaces, p)
	}
	d.journal.Journal = journal.New(d.cluster, journal.Options{
		Controller: d.settings.ControllerURI, Identity: identity, Key: d.settings.Authentication.ClientSecret, Namespaces: namespaces,
		MayWrite: d.leader.MayStart, Restore: d.restore, Report: d.reportLeft, Found: d.found,
	}, d.log)
}

// Lead returns when this operator leads. Until then nothing starts, and unfinished events of an earlier life on this disk are handed over to the
// leader. The error is ctx's.
func (d *Dispatcher) Lead(ctx context.Context) error {
	replaced, err := d.leader.Lead(ctx, d.handOver.onStandby)
	d.othersLed, d.accepted.after = replaced != "", replaced
	if d.leader.Alone() {
		d.journal.Journal = nil
	}
	return err
}

// KeepLeading renews the Lease until ctx ends. An error means that the operator is to Yield and then to start again: another one may lead.
func (d *Dispatcher) KeepLeading(ctx context.Context) error { return d.leader.Keep(ctx) }

// Leads tells whether this operator leads. If not, who is the host name of the leader; "": not known.
func (d *Dispatcher) Leads() (leads bool, who string) { return d.leader.Leads() }

// MayStart tells whether work may start: this operator leads, and nobody else can.
func (d *Dispatcher) MayStart() bool { return d.leader.MayStart() }

// releaseTime bounds the request that gives up the Lease. It is not part of the grace period: otherwise an operator that has used it up for its
// copies would keep its successor waiting.
const releaseTime = 500 * time.Millisecond

// GiveUpLease lets another operator lead. Call it when nothing runs any more and the last copies are written.
func (d *Dispatcher) GiveUpLease() {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	d.leader.Release(ctx)
}

// Yield stops all work, because another operator leads, and hands over what that one cannot know of. What runs is killed: a helm that is
// told to end would write down how, over what the other operator's helm has written meanwhile.
func (d *Dispatcher) Yield() {
	d.journal.Stop()
	d.lanes.Shut()
	d.Abort()
	d.lanes.Wait()
	d.handOver.atTheEnd()
}
