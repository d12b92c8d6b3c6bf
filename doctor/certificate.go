package doctor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"octo-operator/config"
)

// soon is how long before its end a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

const renew = "make a new one: the daemon reads the files again, no restart is needed; with the chart, " +
	"delete the Secret …-webhook-cert and run helm upgrade, or let cert-manager renew it"

// certificate checks the certificate of the admission webhooks: that in the files, and the one that is served.
func (x *examination) certificate(ctx context.Context) []Finding {
	const check = "certificate"
	https := x.Settings.HTTPS
	if https.Address == "" {
		return []Finding{found(Skip, check, "no admission webhooks are served: KESTREL__ENDPOINTS__HTTPS__URL is not set")}
	}
	pair, err := x.certificateInFiles()
	if err != nil {
		return []Finding{found(Fail, check, "%v", err).
			todo("set KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH and __KEYPATH to PEM files that this user may read, and that belong together")}
	}
	told := x.describe(pair.Leaf) + ", " + x.servedNow(ctx, pair.Leaf)
	switch left := pair.Leaf.NotAfter.Sub(x.now()); {
	case left <= 0:
		return []Finding{found(Fail, check, "%s has expired: it was good %s", https.CertificateFile, told).todo("%s", renew)}
	case left < soon:
		return []Finding{found(Warn, check, "%s ends soon: %s", https.CertificateFile, told).todo("%s", renew)}
	}
	return []Finding{found(OK, check, "%s is good %s", https.CertificateFile, told)}
}

// certificateInFiles reads the certificate that the settings name. The error names the files.
func (x *examination) certificateInFiles() (*tls.Certificate, error) {
	https := x.Settings.HTTPS
	if https.CertificateFile == "" {
		return nil, fmt.Errorf("there is none, and %s is to serve webhooks", https.Address)
	}
	pair, err := tls.LoadX509KeyPair(https.CertificateFile, cmp.Or(https.KeyFile, https.CertificateFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s with the key %s: %w", https.CertificateFile, cmp.Or(https.KeyFile, https.CertificateFile), err)
	}
	return &pair, nil
}

func (x *examination) describe(leaf *x509.Certificate) string {
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	until := "until " + leaf.NotAfter.UTC().Format(time.RFC3339)
	if left := leaf.NotAfter.Sub(x.now()); left > 0 {
		until += fmt.Sprintf(" (%.0f days)", left.Hours()/24)
	}
	return until + ", for " + strings.Join(names, " ")
}

// servedNow compares the certificate in the files with the one that the daemon serves.
func (x *examination) servedNow(ctx context.Context, leaf *x509.Certificate) string {
	address := config.Dialled(x.Settings.HTTPS.Address)
	if strings.HasSuffix(address, ":0") {
		return "served at a port that is not known here"
	}
	// The certificate is only looked at, and nothing is sent, so it need not be valid.
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Sprintf("not served now: %v", err)
	}
	defer conn.Close()
	served := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if len(served) == 0 || !bytes.Equal(served[0].Raw, leaf.Raw) {
		return "but another one is served"
	}
	return "served"
}
