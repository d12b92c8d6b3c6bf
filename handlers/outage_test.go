package handlers

import (
	"errors"
	"testing"
)

func TestConnectionTroubleIsToldFromAChartsOwn(t *testing.T) {
	for text, want := range map[string]bool{
		// helm 4.3.1, helm 3.22.0 and kubectl 1.37.2, when the API server was killed under them
		`Error: Kubernetes cluster unreachable: Get "https://127.0.0.1:6443/version": dial tcp 127.0.0.1:6443: connect: connection refused`: true,
		`The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?` + "\nconnection refused":        true,
		`Error: UPGRADE FAILED: Get "https://127.0.0.1:6443/api/v1/namespaces/octo/secrets": read tcp: connection reset by peer`:            true,
		`Error: UPGRADE FAILED: Post "https://127.0.0.1:6443/api/v1/namespaces/octo/secrets?fieldManager=helm": EOF`:                        true,
		`Error from server: etcdserver: request timed out`:                                                                                  true,
		`error: http2: client connection lost`:                                                                                                       true,
		`Error: UPGRADE FAILED: context deadline exceeded`:                                                                                           false,
		`Error: values don't meet the specifications of the schema(s) in the following chart(s)`:                                                     false,
		`Error: INSTALLATION FAILED: Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1`:                                               false,
		`Error: UPGRADE FAILED: conflict occurred while applying object octo/x apps/v1, Kind=Deployment: Apply failed with 1 conflict: .spec.paused`: false,
	} {
		if connectionTrouble.MatchString(errors.New(text).Error()) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
