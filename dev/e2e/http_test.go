package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// httpsAddress gives the operator an address for HTTPS, with a certificate that the test does not verify.
func (w *world) httpsAddress() string {
	w.Helper()
	h, _ := newWebhooks(w, pools)
	return h.address
}

var trustsAnybody = &tls.Config{InsecureSkipVerify: true}

// Before there were limits, 5,000 idle connections took 90 MiB, and 200 clients that never read the metrics took 230 MiB.
func TestNobodyFillsTheOperatorsMemoryThroughItsPorts(t *testing.T) {
	const most = 48 // MiB more than at the beginning, at any time
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	plain, secured := strings.TrimSuffix(strings.TrimPrefix(ready, "http://"), "/health/ready"), w.httpsAddress()
	binary, err := normalBinary()
	w.must(err)
	w.program = binary // with the race detector it would take ten times as much
	w.start()
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	memoryOf := func(name string) float64 {
		m, err := readMebibytes(strconv.Itoa(w.operator.cmd.Process.Pid), "status", name)
		w.must(err)
		return m
	}
	before := memoryOf("VmRSS")
	review := "POST /validate/v1communicationpoolentity HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n"
	for _, test := range []struct {
		name    string
		clients int
		tls     bool
		says    string
	}{
		{"5,000 idle connections", 5000, false, ""},
		{"200 that never read the metrics", 200, false, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400)},
		{"300 whose header never ends", 300, false, "GET /metrics HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: x\r\n", 2000)},
		{"300 whose large body never ends", 300, false, review + strings.Repeat("[", 1_000_000)},
		{"300 idle connections with TLS", 300, true, ""},
		{"100 whose large body never ends, with TLS", 100, true, review + strings.Repeat("[", 1_000_000)},
	} {
		var open []net.Conn
		for range test.clients {
			connection, err := dial(plain, secured, test.tls)
			if err != nil {
				continue // closed in favour of a newer one during the TLS handshake
			}
			open = append(open, connection)
			go func() { _, _ = io.WriteString(connection, test.says) }() // in the background: the connection may be closed already, or not be read
		}
		w.waitUntilReadiness(ready, http.StatusOK, allIsWell) // the kubelet gets answers meanwhile
		if highest := memoryOf("VmHWM"); highest-before > most {
			t.Errorf("%s: %.0f MiB before, %.0f MiB at the highest", test.name, before, highest)
		}
		t.Logf("%s: %.0f MiB, %.0f at the highest, %.0f before all", test.name, memoryOf("VmRSS"), memoryOf("VmHWM"), before)
		for _, connection := range open {
			connection.Close()
		}
	}
}

func dial(plain, secured string, withTLS bool) (net.Conn, error) {
	if withTLS {
		return tls.Dial("tcp", secured, trustsAnybody)
	}
	return net.Dial("tcp", plain)
}

// One connection of HTTP/2 could carry hundreds of requests, past the bounds on connections.
func TestNoHTTP2IsSpokenAndRequestsHaveBounds(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	plain, secured := strings.TrimSuffix(strings.TrimPrefix(ready, "http://"), "/health/ready"), w.httpsAddress()
	w.start()
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	connection, err := tls.Dial("tcp", secured, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	w.must(err)
	defer connection.Close()
	if spoken := connection.ConnectionState().NegotiatedProtocol; spoken == "h2" {
		t.Error("HTTP/2 is spoken on the port of the webhooks")
	}
	const json = "Content-Type: application/json\r\n"
	for _, test := range []struct {
		name, says, want string
		tls              bool
	}{
		{"HTTP/2 without being asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", true},
		{"HTTP/2 in the clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", false},
		{"an upgrade to HTTP/2", "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "200", false},
		{"a large header", "GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "431", true},
		{"a large body", "POST /validate/v1communicationpoolentity HTTP/1.1\r\nHost: x\r\n" + json + "Content-Length: 7000000\r\n\r\n" + strings.Repeat(" ", 7_000_000), "413", true},
		{"a large body where none is read", "GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 99000000\r\n\r\n", "200", false},
		{"chunks without an end", "POST /mutate/v1communicationpoolentity HTTP/1.1\r\nHost: x\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat("100000\r\n"+strings.Repeat(" ", 1<<20)+"\r\n", 7), "413", true},
	} {
		connection, err := dial(plain, secured, test.tls)
		w.must(err)
		go func() { _, _ = io.WriteString(connection, test.says) }()
		line, err := bufio.NewReader(connection).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 "+test.want) {
			t.Errorf("%s: got %q, %v", test.name, line, err)
		}
		connection.Close()
	}
}

// Everybody in the cluster can reach the ports without authentication.
func TestThePortsTellNoSecretsNamesOrAddressesToWhoIsNotInThePod(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	secured := w.httpsAddress()
	w.pool.TenantID = "planted-tenant"
	w.env = append(w.env, "OPERATOR__AUTHENTICATION__CLIENTSECRET="+plantedOverride)
	w.start()
	w.deployPool()
	app := w.workload("Planted Workload", appRtID)
	app.Values = secret(plantedOverride)
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	app.ChartName = "planted-chart"
	if s := w.deploy(app); s.Success {
		t.Error("a chart that does not exist is deployed")
	}
	controller, err := url.Parse(w.controller.URL())
	w.must(err)
	w.must(w.controller.Close())
	w.waitUntilReadiness(ready, http.StatusOK, controller.Host) // inside the pod
	names := []string{"lanted", appRtID, w.pool.ID, w.namespace, w.stateDir, controller.Host, brokerPassword,
		strings.TrimPrefix(w.kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}"), "https://")}
	plain := strings.TrimSuffix(ready, "/health/ready")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trustsAnybody}}
	told := ""
	for _, base := range []string{plain, "https://" + secured} {
		for _, path := range []string{
			"GET /", "GET /health/live", "GET /health/ready", "GET /metrics", "GET /debug/pprof/", "POST /metrics",
			"POST /validate/v1communicationpoolentity", "POST /mutate/v1deploymentsiteentity", "GET /validate/v1communicationpoolentity",
			"POST /system/v1/diagnostics/reconfigureLogLevel?minLogLevel=Debug&maxLogLevel=Fatal", "POST /operatorHub", "TRACE /health/ready",
		} {
			method, path, _ := strings.Cut(path, " ")
			request, err := http.NewRequestWithContext(w.ctx, method, base+path, strings.NewReader(`{"apiVersion":"v1"}`))
			w.must(err)
			request.Host = "operator.octo.svc" // the name that other pods use
			request.Header.Set("Content-Type", "application/json")
			response, err := client.Do(request)
			w.must(err)
			text, err := io.ReadAll(response.Body)
			response.Body.Close()
			w.must(err)
			told += fmt.Sprintf("%s %s%s: %s %v\n%s\n", method, base, path, response.Status, response.Header, text)
			for _, name := range names {
				if strings.Contains(strings.ReplaceAll(string(text)+fmt.Sprint(response.Header), base, ""), name) {
					t.Errorf("%s %s tells %q:\n%s", method, path, name, text)
				}
			}
		}
	}
	for _, answer := range []string{"from within the pod", "octo_operator_events_total", "cannot answer", "not under the name"} {
		if !strings.Contains(told, answer) {
			t.Errorf("none of the answers says %q:\n%s", answer, told)
		}
	}
	w.waitUntilReadiness(ready, http.StatusOK, "not registered")
}

// With a lower log level an attack is not logged, and at debug the log tells more. A web page that a user opens while forwarding the port
// must not be able to change the level.
func TestNeitherAWebPageNorAProxyChangesTheLogLevel(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	ready := w.probe()
	w.start()
	w.waitUntilReadiness(ready, http.StatusOK, allIsWell)
	ask := func(host, header, value string) int {
		path := strings.Replace(ready, "/health/ready", "/system/v1/diagnostics/reconfigureLogLevel?minLogLevel=Off&maxLogLevel=Off", 1)
		request, err := http.NewRequestWithContext(w.ctx, http.MethodPost, path, nil)
		w.must(err)
		request.Host = host
		if header != "" {
			request.Header.Set(header, value)
		}
		response, err := http.DefaultClient.Do(request)
		w.must(err)
		response.Body.Close()
		return response.StatusCode
	}
	for _, from := range [][3]string{
		{"evil.example", "", ""}, {"localhost.evil.example:5000", "", ""}, {"localhost", "Origin", "http://localhost"}, {"localhost", "Origin", "null"},
		{"localhost", "Sec-Fetch-Site", "cross-site"}, {"localhost", "X-Forwarded-For", "127.0.0.1"}, {"localhost", "Via", "1.1 proxy"},
	} {
		if status := ask(from[0], from[1], from[2]); status != http.StatusForbidden {
			t.Errorf("%q: got %d", from, status)
		}
	}
	if log := w.operator.text(); strings.Contains(log, "the log level changes") {
		t.Error(log)
	}
	if status := ask("localhost:5000", "", ""); status != http.StatusNoContent {
		t.Errorf("from within the pod: got %d", status)
	}
}
