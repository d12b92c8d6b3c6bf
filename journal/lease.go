package journal

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"octo-operator/kube"
)

// lease is the Lease of a controller: who holds it leads.
type lease struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

type leaseSpec struct {
	// HolderIdentity stays when the Lease is given up: it says whose disk knows best what is unfinished.
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds"` // givenUp, or how long it is valid after RenewTime
	RenewTime            string `json:"renewTime"`
	LeaseTransitions     int    `json:"leaseTransitions"` // how often another operator has taken it
}

// givenUp stands in LeaseDurationSeconds when nobody leads; 0 is refused by the API server.
const givenUp = 1

const leaseAPI = "/apis/coordination.k8s.io/v1/namespaces/"

// exists tells whether the cluster has the Lease.
func (l lease) exists() bool { return l.Metadata.ResourceVersion != "" }

func (l *Leader) path() string { return leaseAPI + l.o.Namespace + "/leases" }

// read finds the Lease; one that does not exist if there is none.
func (l *Leader) read(ctx context.Context) (found lease, err error) {
	err = l.api.Do(ctx, http.MethodGet, l.path()+"/"+l.name, nil, &found)
	if kube.NotFound(err) {
		return lease{}, nil
	}
	return found, err
}

// write makes the Lease this operator's, valid for so many seconds, unless it has changed since it was found: then the error is a
// conflict.
func (l *Leader) write(ctx context.Context, found lease, seconds int) (written lease, err error) {
	next := leaseSpec{
		HolderIdentity: l.o.Host + "_" + l.o.Identity, LeaseDurationSeconds: seconds,
		RenewTime: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), LeaseTransitions: found.Spec.LeaseTransitions,
	}
	if !found.exists() {
		err = l.api.Do(ctx, http.MethodPost, l.path(), lease{
			APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Spec: next,
			Metadata: metadata{Name: l.name, Namespace: l.o.Namespace, Labels: map[string]string{label: l.cluster}},
		}, &written)
		return written, err
	}
	if !l.mine(found) {
		next.LeaseTransitions++
	}
	// A patch, since that is what roles of earlier versions allow.
	change := map[string]any{"metadata": map[string]string{"resourceVersion": found.Metadata.ResourceVersion}, "spec": next}
	err = l.api.Do(ctx, http.MethodPatch, l.path()+"/"+l.name, kube.Patch{Type: kube.MergePatch, Object: change}, &written)
	return written, err
}

// mine tells of a Lease that this operator, in this life or an earlier one on the same disk, was the last to hold.
func (l *Leader) mine(found lease) bool {
	return strings.HasSuffix(found.Spec.HolderIdentity, "_"+l.o.Identity)
}

// ofOlderVersion is the name of a Lease of an operator of an older version: each had one of its own, with its identity in the name, and
// worked while it had it.
var ofOlderVersion = regexp.MustCompile(`^octo-operator-[0-9a-f]{12}$`)

// olderVersions are their Leases, without that of an earlier life on this disk.
func (l *Leader) olderVersions(ctx context.Context) (found []lease, err error) {
	var all struct{ Items []lease }
	if err := l.api.Do(ctx, http.MethodGet, l.path()+"?labelSelector="+label+"%3D"+l.cluster, nil, &all); err != nil {
		return nil, err
	}
	for _, other := range all.Items {
		if ofOlderVersion.MatchString(other.Metadata.Name) && !strings.HasSuffix(other.Metadata.Name, "-"+l.o.Identity) {
			found = append(found, other)
		}
	}
	return found, nil
}

// removeOlderVersions tidies up their Leases, once they have run out.
func (l *Leader) removeOlderVersions(ctx context.Context) {
	older, _ := l.olderVersions(ctx)
	for _, other := range older {
		_ = l.api.Do(ctx, http.MethodDelete, l.path()+"/"+other.Metadata.Name, nil, nil) // it is tidiness alone
	}
}
