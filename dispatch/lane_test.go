package dispatch

import (
	"testing"

	"octo-operator/config"
)

func TestSecretsOfAnEventLieInTheNamespaceOfItsRelease(t *testing.T) {
	h := &Dispatcher{Options: Options{Settings: config.Config{PoolNamespace: "octo", PlatformNamespace: "platform"}}}
	for lane, want := range map[string]string{
		"octo/acme-shop":     "octo",
		"platform/acme-pool": "platform",
		"pool/acme-main":     "octo",
		"tenant/acme":        "octo",
		"invalid":            "octo",
	} {
		if got := h.journalLane(lane); got.Namespace != want || got.Name != lane {
			t.Errorf("%s: got %+v, want %s", lane, got, want)
		}
	}
}
