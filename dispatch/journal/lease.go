package journal

import (
	"context"
	"net/http"
	"strings"
	"time"

	"octo-operator/kube"
)

// lease is the Lease of a controller. Its holder is the leader.
type lease struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

type leaseSpec struct {
	// HolderIdentity is {host}_{identity}. It stays when the Lease is given up, to say whose disk has the newest state of unfinished events.
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds"` // how long the Lease is valid after RenewTime, or givenUp
	RenewTime            string `json:"renewTime"`
	AcquireTime          string `json:"acquireTime,omitempty"` // when this holder took it; "": an older version of the operator took it
	LeaseTransitions     int    `json:"leaseTransitions"`      // how often another operator has taken it
}

// givenUp is the LeaseDurationSeconds of a Lease that its holder has given up. It cannot be 0, which the API server refuses.
const givenUp = 1

// another returns the identity of the operator that held the Lease last; "" if that was this operator, or an earlier life on its disk, or
// nobody.
func (l *Leader) another(found lease) string {
	identity := found.Spec.HolderIdentity[strings.LastIndexByte(found.Spec.HolderIdentity, '_')+1:]
	if identity == l.o.Identity {
		return ""
	}
	return identity
}

func (l *Leader) path() string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + l.o.Namespace + "/leases"
}

// read returns the Lease; an empty one if there is none.
func (l *Leader) read(ctx context.Context) (found lease, err error) {
	err = l.api.Do(ctx, http.MethodGet, l.path()+"/"+l.name, nil, &found)
	if kube.NotFound(err) {
		return lease{}, nil
	}
	return found, err
}

// microTime is the format of times in a Lease.
const microTime = "2006-01-02T15:04:05.000000Z"

// write makes this operator the holder of the Lease for so many seconds. If the Lease was changed or deleted since it was found, the
// error is Conflict or NotFound.
func (l *Leader) write(ctx context.Context, found lease, seconds int) (written lease, err error) {
	next := leaseSpec{
		HolderIdentity: l.o.Host + "_" + l.o.Identity, LeaseDurationSeconds: seconds,
		RenewTime: time.Now().UTC().Format(microTime), AcquireTime: found.Spec.AcquireTime, LeaseTransitions: found.Spec.LeaseTransitions,
	}
	if l.another(found) != "" {
		next.LeaseTransitions++
	}
	if l.another(found) != "" || found.Metadata.ResourceVersion == "" || found.Spec.LeaseDurationSeconds == givenUp && seconds != givenUp {
		next.AcquireTime = next.RenewTime
	}
	if found.Metadata.ResourceVersion == "" {
		err = l.api.Do(ctx, http.MethodPost, l.path(), lease{
			APIVersion: "coordination.k8s.io/v1", Kind: "Lease", Spec: next,
			Metadata: metadata{Name: l.name, Namespace: l.o.Namespace, Labels: map[string]string{label: shortHash(l.o.Controller)}},
		}, &written)
		return written, err
	}
	// Patched, because a role may allow patch and not update.
	change := map[string]any{"metadata": map[string]string{"resourceVersion": found.Metadata.ResourceVersion}, "spec": next}
	err = l.api.Do(ctx, http.MethodPatch, l.path()+"/"+l.name, kube.Patch{Type: kube.MergePatch, Object: change}, &written)
	return written, err
}
