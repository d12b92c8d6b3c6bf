package hub

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"testing"

	"octo-operator/dev/devcontroller"
)

// startTLSController serves with a certificate that no system knows, and returns that as PEM.
func startTLSController(t *testing.T) (*devcontroller.Server, string) {
	t.Helper()
	donor := httptest.NewTLSServer(nil)
	donor.Close()
	controller := newController(t, devcontroller.Options{TLS: &tls.Config{Certificates: donor.TLS.Certificates}})
	must(t, controller.Start("127.0.0.1:0")) // which the certificate is for
	return controller, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: donor.Certificate().Raw}))
}

func TestAnUnknownCertificateIsRefusedWithAClearError(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller, _ := startTLSController(t)
	operator := startOperator(t, controller.URL())
	operator.log.wait(ctx, t, "not connected to the controller", controller.URL(), "certificate signed by unknown authority")
	if len(controller.Connections()) != 0 {
		t.Error("the connection was opened all the same")
	}
}

func TestAnExtraRootCertificateIsTrusted(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller, root := startTLSController(t)
	operator := startOperator(t, controller.URL(), func(s *setup) { s.settings.RootCACertificate = root })
	operator.untilRegistered(ctx, t)
	if operator.log.count("NOT verified") != 0 {
		t.Error("the log warns without a reason")
	}
	wantUnbroken(t, controller)
}

func TestVerificationCanBeSwitchedOffWithAWarning(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller, _ := startTLSController(t)
	operator := startOperator(t, controller.URL(), func(s *setup) { s.settings.InsecureTLS = true })
	operator.untilRegistered(ctx, t)
	if operator.log.count(`"level":"WARN"`, "NOT verified", "OPERATOR__INSECURESKIPVERIFY") != 1 {
		t.Error("want one warning")
	}
	wantUnbroken(t, controller)
}
