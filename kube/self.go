package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Self is what of a cluster is the operator's own. It is all empty where the operator does not run in a pod.
type Self struct {
	Namespace, ServiceAccount string
	Secrets                   []string // that its pod reads; those for pulling images are anybody's
}

// self is asked for once.
type self struct {
	mu    sync.Mutex
	known bool
	is    Self
}

// Self reads the pod's token for the names, and the pod once for its Secrets. With an error the names are there, and the Secrets are not.
func (k *Kubectl) Self(ctx context.Context) (Self, error) {
	k.self.mu.Lock()
	defer k.self.mu.Unlock()
	pod, is := k.http.Transport.(*podTransport)
	if !is || k.self.known {
		return k.self.is, nil
	}
	token, err := pod.bearer()
	if err != nil {
		return Self{}, err
	}
	claims := claimsOf(token)
	found := Self{Namespace: claims.Kubernetes.Namespace, ServiceAccount: claims.Kubernetes.ServiceAccount.Name}
	if name := claims.Kubernetes.Pod.Name; name != "" {
		var object struct{ Spec podSecrets }
		err = k.Do(ctx, http.MethodGet, collection(core, found.Namespace, "pods")+"/"+url.PathEscape(name), nil, &object)
		switch {
		case Denied(err) || hasCode(err, http.StatusNotFound):
			k.log.Warn("a workload that uses the operator's own Secrets cannot be told from others: the operator may not read its own pod", "pod", name, "reason", err)
		case err != nil:
			return found, fmt.Errorf("cannot find out which Secrets are the operator's own: %w", err)
		default:
			found.Secrets = object.Spec.names()
		}
	}
	k.self.is, k.self.known = found, true
	return found, nil
}

// claims are what a service account's token says of itself.
type claims struct {
	Kubernetes struct {
		Namespace      string
		Pod            struct{ Name string }
		ServiceAccount struct{ Name string }
	} `json:"kubernetes.io"`
}

// claimsOf reads a token that the pod was given, so nothing is verified. One that cannot be read says nothing.
func claimsOf(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &c) != nil {
		return claims{}
	}
	return c
}

// podSecrets is a pod's spec as far as it names Secrets.
type podSecrets struct {
	ImagePullSecrets           []struct{ Name string }
	Containers, InitContainers []struct {
		Env []struct {
			ValueFrom struct{ SecretKeyRef struct{ Name string } }
		}
		EnvFrom []struct{ SecretRef struct{ Name string } }
	}
	Volumes []struct {
		Secret    struct{ SecretName string }
		Projected struct {
			Sources []struct{ Secret struct{ Name string } }
		}
	}
}

func (p podSecrets) names() (names []string) {
	for _, container := range append(p.Containers, p.InitContainers...) {
		for _, env := range container.Env {
			names = append(names, env.ValueFrom.SecretKeyRef.Name)
		}
		for _, from := range container.EnvFrom {
			names = append(names, from.SecretRef.Name)
		}
	}
	for _, volume := range p.Volumes {
		names = append(names, volume.Secret.SecretName)
		for _, source := range volume.Projected.Sources {
			names = append(names, source.Secret.Name)
		}
	}
	shared := func(name string) bool {
		return name == "" || slices.ContainsFunc(p.ImagePullSecrets, func(s struct{ Name string }) bool { return s.Name == name })
	}
	names = slices.DeleteFunc(names, shared)
	slices.Sort(names)
	return slices.Compact(names)
}
