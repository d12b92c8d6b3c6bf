package web

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func nextYear() time.Time { return time.Now().Add(365 * 24 * time.Hour) }

func TestTheCertificateFollowsItsFilesWithoutARestart(t *testing.T) {
	files := newMounted(t)
	log, logged := newLog()
	server, o := serve(t, Options{HTTPS: freeAddress(t), CertificateFile: files.cert, KeyFile: files.key, Log: log})
	wantText(t, server.Unable().Error(), "cannot read the certificate", files.cert, "no such file")
	if _, err := http.Get("https://" + o.HTTPS + "/health/live"); err == nil {
		t.Error("it is served without a certificate")
	}

	first, firstKey := issue(t, "first", nextYear())
	files.hold(first, firstKey)
	eventually(t, "it appears", func() bool { return server.Unable() == nil && server.Trouble() == nil })
	alive := func(client *http.Client) {
		t.Helper()
		if status, _ := send(t, client, http.MethodGet, "https://"+o.HTTPS+"/health/live", "", nil); status != http.StatusOK {
			t.Errorf("got %d", status)
		}
	}
	alive(trusting(t, first, "first"))

	second, secondKey := issue(t, "second", nextYear())
	files.hold(second, firstKey)
	eventually(t, "a key of another certificate is told", func() bool { return server.Trouble() != nil })
	wantText(t, server.Trouble().Error(), "the old certificate is served", files.cert, "private key does not match")
	if err := server.Unable(); err != nil {
		t.Errorf("unable: %v", err)
	}
	alive(trusting(t, first, "first"))

	files.hold(second, secondKey)
	eventually(t, "the new one is served", func() bool { return server.Trouble() == nil })
	alive(trusting(t, second, "second"))
	if strings.Contains(logged.String(), "PRIVATE KEY") {
		t.Error("the log has a key")
	}
}

func TestACertificateThatCannotBeUsedIsNamedAndLoggedOncePerChange(t *testing.T) {
	good, goodKey := issue(t, "operator", nextYear())
	old, oldKey := issue(t, "operator", time.Now().Add(-time.Hour))
	_, otherKey := issue(t, "operator", nextYear())
	for _, test := range []struct {
		name, cert, key string
		want            []string
	}{
		{"empty", "", "", []string{"cannot use the certificate", "svc.pem", "failed to find any PEM data"}},
		{"no PEM", "PK\x00\x01", "\x00", []string{"cannot use the certificate", "failed to find any PEM data"}},
		{"no key", good, "", []string{"cannot use the certificate", "svc-key.pem", "PEM data in key input"}},
		{"another's key", good, otherKey, []string{"cannot use the certificate", "private key does not match"}},
		{"the key of its own twice", goodKey, goodKey, []string{"cannot use the certificate", "failed to find certificate PEM data"}},
		{"expired", old, oldKey, []string{"svc.pem, has expired at ", "no restart is needed"}},
	} {
		for _, before := range []string{"", good} {
			name := test.name + ", at first"
			if before != "" {
				name = test.name + ", later"
			}
			t.Run(name, func(t *testing.T) {
				files := newMounted(t)
				if before != "" {
					files.hold(good, goodKey)
				} else {
					files.hold(test.cert, test.key)
				}
				log, logged := newLog()
				c := newCertificate(files.cert, files.key, log)
				files.hold(test.cert, test.key)
				for range 3 {
					c.reload()
				}
				said := c.unable()
				if before != "" {
					if said != nil {
						t.Errorf("unable: %v", said)
					}
					said = c.refused()
				}
				if said == nil {
					t.Fatal("nothing is said")
				}
				wantText(t, said.Error(), test.want...)
				if n := strings.Count(logged.String(), "level=ERROR"); n != 1 {
					t.Errorf("logged %d times:\n%s", n, logged)
				}
				files.hold(good, goodKey)
				c.reload()
				if c.unable() != nil || c.refused() != nil {
					t.Errorf("a good one is not taken: %v, %v", c.unable(), c.refused())
				}
			})
		}
	}
}

func TestACertificateExpiresWhileItIsServed(t *testing.T) {
	cert, key := issue(t, "operator", time.Now().Add(time.Hour))
	files := newMounted(t)
	files.hold(cert, key)
	log, _ := newLog()
	c := newCertificate(files.cert, files.key, log)
	c.current.Leaf.NotAfter = time.Now().Add(-time.Second)
	if err := c.unable(); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("unable: %v", err)
	}
}

func TestWithoutHTTPSNothingComplains(t *testing.T) {
	log, logged := newLog()
	server, _ := serve(t, Options{Log: log})
	if server.Unable() != nil || server.Trouble() != nil || strings.Contains(logged.String(), "certificate") {
		t.Errorf("unable %v, trouble %v, log:\n%s", server.Unable(), server.Trouble(), logged)
	}
}

func TestHTTPSWithoutACertificateSaysWhichSettingIsMissing(t *testing.T) {
	server, _ := serve(t, Options{HTTPS: freeAddress(t)})
	wantText(t, server.Unable().Error(), "set KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH")
}

func TestTheKeyMayBeInTheCertificatesFile(t *testing.T) {
	cert, key := issue(t, "operator", nextYear())
	files := newMounted(t)
	files.hold(cert+key, "")
	files.must(os.Remove(files.key))
	server, _ := serve(t, Options{HTTPS: freeAddress(t), CertificateFile: files.cert})
	if err := server.Unable(); err != nil {
		t.Error(err)
	}
}
