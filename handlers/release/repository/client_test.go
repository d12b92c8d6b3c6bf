package repository

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// guardedClient keeps the rules, and trusts the servers' certificates.
func guardedClient(r Rules, servers ...*httptest.Server) *http.Client {
	roots := x509.NewCertPool()
	for _, s := range servers {
		if s.TLS != nil {
			roots.AddCert(s.Certificate())
		}
	}
	client := &http.Client{Timeout: time.Minute}
	r.Guard(client, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}})
	return client
}

func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

func serveTLS(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	return s
}

func wantRefused(t *testing.T, err error, parts ...string) {
	t.Helper()
	refused := (*RefusedError)(nil)
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want it to be refused", err)
	}
	for _, part := range parts {
		if !strings.Contains(refused.Error(), part) {
			t.Errorf("%q lacks %q", refused, part)
		}
	}
}

func get(t *testing.T, client *http.Client, address string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// A name is checked when the connection is made, by the address that it resolves to then.
func TestANameThatResolvesToThisMachineIsRefusedWhenTheConnectionIsMade(t *testing.T) {
	asked := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	port := s.URL[strings.LastIndex(s.URL, ":"):]
	resolver := fakeDNS(t, netip.MustParseAddr("127.0.0.1"))
	client := &http.Client{Timeout: time.Minute, Transport: (Rules{}).roundTripper(&http.Transport{}, resolver)}
	wantRefused(t, get(t, client, "http://charts.example.test"+port+"/index.yaml"), "charts.example.test (127.0.0.1) is the operator's own machine", "OPERATOR__ALLOWEDREPOSITORYADDRESSES")
	if asked {
		t.Error("it was asked all the same")
	}
	client.Transport = (Rules{Addresses: loopback}).roundTripper(&http.Transport{}, resolver)
	if err := get(t, client, "http://charts.example.test"+port+"/index.yaml"); err != nil || !asked {
		t.Errorf("allowed: %v", err)
	}
}

// fakeDNS is a resolver for which every name has one IPv4 address.
func fakeDNS(t *testing.T, address netip.Addr) *net.Resolver {
	t.Helper()
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for packet := make([]byte, 512); ; {
			n, from, err := listener.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = listener.WriteTo(answerOf(packet[:n], address), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", listener.LocalAddr().String())
	}}
}

// answerOf is the answer to a DNS question: for A the address, for anything else nothing.
func answerOf(question []byte, address netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the name's end, type and class
	isA := question[end-4] == 0 && question[end-3] == 1
	answer := append([]byte{}, question[:end]...)
	answer[2], answer[3] = 0x81, 0x80
	copy(answer[6:12], []byte{0, 0, 0, 0, 0, 0})
	if isA {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, address.AsSlice()...)
	}
	return answer
}

func TestEachRedirectIsLookedAtAsIfItWasAskedFor(t *testing.T) {
	inside := false
	victim := serve(t, func(http.ResponseWriter, *http.Request) { inside = true })
	var to string
	from := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	here := netip.MustParseAddrPort(from.Listener.Addr().String())
	// Only the repository itself may be contacted on this machine, not [::1] or this machine's names.
	client := guardedClient(Rules{Addresses: []netip.Prefix{netip.PrefixFrom(here.Addr(), 32)}})
	port := victim.URL[strings.LastIndex(victim.URL, ":"):]
	for _, to = range []string{"http://127.0.0.2" + port + "/", "http://[::1]" + port, "http://169.254.169.254/latest/", "http://0.0.0.0" + port, "http://[::ffff:127.0.0.2]" + port, "http://2130706434" + port} {
		if err := get(t, client, from.URL); !errors.As(err, new(*RefusedError)) || inside {
			t.Errorf("%s: got %v", to, err)
		}
	}
	for _, to = range []string{"file:///etc/passwd", "gopher://127.0.0.1/x", "/\\x"} {
		if err := get(t, client, from.URL); err == nil {
			t.Errorf("%s was followed", to)
		}
	}
}

func TestRedirectsEndAndDoNotLeaveTLS(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	secure := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	client := guardedClient(Rules{Addresses: loopback}, secure)
	wantRefused(t, get(t, client, plain.URL), "redirects more than 10 times")
	wantRefused(t, get(t, client, secure.URL), "redirects from https:// to http://")
}

func TestCredentialsAndAddressesAreForTheFirstHostAlone(t *testing.T) {
	var got http.Header
	elsewhere := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	from := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b?sig=planted", http.StatusFound)
		case "/b":
			if _, _, ok := r.BasicAuth(); !ok {
				t.Error("the host itself did not get them again")
			}
			http.Redirect(w, r, elsewhere.URL+"/c", http.StatusFound) // the same name, another port
		}
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from.URL+"/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("reader", "word")
	request.Header.Set("Cookie", "a=b")
	response, err := guardedClient(Rules{Addresses: loopback}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	for _, header := range []string{"Authorization", "Cookie", "Referer"} {
		if got.Get(header) != "" {
			t.Errorf("%s went along: %s", header, got.Get(header))
		}
	}
}

func TestCredentialsInARedirectDoNotGoOverPlainHTTP(t *testing.T) {
	from := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://user:word@charts.example/", http.StatusFound)
	})
	wantRefused(t, get(t, guardedClient(Rules{Addresses: loopback}), from.URL), "credentials for charts.example", "OPERATOR__ALLOWPLAINCREDENTIALS")
}

// The proxy may be on this machine, but not the address that it is asked to connect to.
func TestAProxyIsUsedAndAskedForNothingThatIsRefused(t *testing.T) {
	var asked []string
	proxy := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.String()) })
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute}
	(Rules{}).Guard(client, &http.Transport{Proxy: http.ProxyURL(at)})
	if err := get(t, client, "http://charts.example.test/index.yaml"); err != nil || fmt.Sprint(asked) != "[http://charts.example.test/index.yaml]" {
		t.Errorf("asked for %q, %v", asked, err)
	}
	for _, address := range []string{"http://127.0.0.1/", "http://localhost/", "http://169.254.169.254/", "http://0x7f000001/"} {
		wantRefused(t, get(t, client, address))
	}
	if len(asked) != 1 {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestAnArchiveIsBoundedAndIsWhatWasSent(t *testing.T) {
	body := []byte("\x1f\x8bnot unpacked")
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			w.Header().Set("Content-Length", fmt.Sprint(maxArchive+1))
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write(body)
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(body)
		}
	})
	archives := NewArchives(guardedClient(Rules{Addresses: loopback}), Rules{})
	dir := t.TempDir()
	for path, want := range map[string]string{
		"/long": "the archive has 104857601 bytes, the limit is 100 MiB", "/gone": "failed to fetch " + s.URL + "/gone : 404 Not Found", "/cut": "unexpected EOF",
	} {
		_, err := archives.Download(t.Context(), Source{URL: s.URL}, s.URL+path+"?sig=planted", filepath.Join(dir, path))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	came, err := archives.Download(t.Context(), Source{URL: s.URL}, s.URL+"/packed", filepath.Join(dir, "packed"))
	if err != nil || came.Bytes != int64(len(body)) {
		t.Errorf("got %+v, %v", came, err)
	}
	if _, err := archives.Download(t.Context(), Source{URL: s.URL}, s.URL+"/packed", filepath.Join(dir, "packed")); err == nil {
		t.Error("a file that is there is written over")
	}
}

// FuzzRedirect: wherever a repository redirects to, nothing else on this machine is contacted.
func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{"http://localhost/", "//127.1/", "http://[::1]/", "https://0x7f.1", "\\\\127.0.0.1", "http://user@127.0.0.1/", "http:127.0.0.1", "http://[::ffff:127.0.0.1]:1/", "/%2e%2e"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://charts.example/archives/app.tgz")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, location string) {
		to, err := base.Parse(location)
		if err != nil {
			return
		}
		request := &http.Request{URL: to, Header: http.Header{"Authorization": {"Basic x"}, "Referer": {"x"}}}
		err = checkRedirect(request, []*http.Request{{URL: base}})
		if err == nil {
			err = (&guarded{}).check(request)
		}
		if err != nil {
			return
		}
		if to.Scheme != "https" || origin(to) != origin(base) && request.Header.Get("Authorization") != "" || request.Header.Get("Referer") != "" {
			t.Errorf("%q leads to %s with %v", location, to, request.Header)
		}
		if address, err := netip.ParseAddr(to.Hostname()); err == nil && refusedAddress(address) != "" {
			t.Errorf("%q leads to %s", location, to)
		}
	})
}
