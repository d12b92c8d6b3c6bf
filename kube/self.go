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

// Self is what the operator itself has in the cluster. All fields are empty if it does not run in a pod.
type Self struct {
	Namespace, ServiceAccount string
	Secrets                   []string // names of the Secrets that its pod uses, except for image pull secrets, which many share
}

// self caches Self.
type self struct {
	mu    sync.Mutex
	known bool
	is    Self
}

// Self reads the names from the pod's token, and the Secrets from the pod. The answer is cached. With an error the names are set, but not
// the Secrets.
func (k *Client) Self(ctx context.Context) (Self, error) {
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
			k.log.Warn("workloads are not checked for use of the operator's own Secrets: the operator may not read its own pod", "pod", name, "reason", err, "next", "allow it get of pods, and start it again")
		case err != nil:
			return found, fmt.Errorf("cannot find out which Secrets are the operator's own: %w", err)
		default:
			found.Secrets = object.Spec.names()
		}
	}
	k.self.is, k.self.known = found, true
	return found, nil
}

// claims are what a service account's token says about its owner.
type claims struct {
	Kubernetes struct {
		Namespace      string
		Pod            struct{ Name string }
		ServiceAccount struct{ Name string }
	} `json:"kubernetes.io"`
}

// claimsOf reads a token without verifying it: the pod was given it by Kubernetes. A token that cannot be read yields empty claims.
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

// podSecrets are the fields of a pod's spec that name Secrets.
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
