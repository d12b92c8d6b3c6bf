package web

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each kind of client holds its connection as long as it can.
func TestWhoeverHoldsConnectionsKeepsNobodyOut(t *testing.T) {
	cert, key := issue(t, "operator", nextYear())
	files := newMounted(t)
	files.hold(cert, key)
	server, o := serve(t, Options{HTTPS: freeAddress(t), CertificateFile: files.cert, KeyFile: files.key})
	insecure := &tls.Config{InsecureSkipVerify: true}
	for _, test := range []struct {
		name string
		dial func() (net.Conn, error)
		says string
	}{
		{"says nothing", func() (net.Conn, error) { return net.Dial("tcp", o.HTTP) }, ""},
		{"never ends its header", func() (net.Conn, error) { return net.Dial("tcp", o.HTTP) }, "GET /health/live HTTP/1.1\r\nHost: x\r\nX: "},
		{"never ends its body", func() (net.Conn, error) { return net.Dial("tcp", o.HTTP) },
			"POST /validate/v1deploymentsiteentity HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"},
		{"never reads what it asked for", func() (net.Conn, error) { return net.Dial("tcp", o.HTTP) },
			strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 50)},
		{"begins no TLS", func() (net.Conn, error) { return net.Dial("tcp", o.HTTPS) }, ""},
		{"says nothing within TLS", func() (net.Conn, error) { return tls.Dial("tcp", o.HTTPS, insecure) }, ""},
		{"never ends its body within TLS", func() (net.Conn, error) { return tls.Dial("tcp", o.HTTPS, insecure) },
			"POST /validate/v1deploymentsiteentity HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range maxOpen + 20 {
				connection, err := test.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer connection.Close()
				_, _ = io.WriteString(connection, test.says) // it may be closed already
			}
			for _, url := range []string{"http://" + o.HTTP, "https://" + o.HTTPS} {
				client := trusting(t, cert, "operator")
				if status, body := send(t, client, http.MethodGet, url+"/health/live", "", nil); status != http.StatusOK {
					t.Errorf("got %d %s", status, body)
				}
			}
			for _, l := range []*listener{server.http, server.https} {
				if n := l.connections.count(); n > maxOpen {
					t.Errorf("%d connections are open at %s", n, l.setting)
				}
			}
		})
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

func TestTheConnectionOfTheOldestChangeIsClosed(t *testing.T) {
	c := &connections{limit: 2}
	var near [4]net.Conn
	for i := range near {
		near[i], _ = net.Pipe()
	}
	c.changed(near[0], http.StateNew)
	c.changed(near[1], http.StateNew)
	c.changed(near[0], http.StateActive)
	c.changed(near[2], http.StateNew)
	wantOpen(t, near[:], true, false, true, true)
	c.changed(near[2], http.StateIdle)
	c.changed(near[2], http.StateClosed)
	c.changed(near[3], http.StateNew)
	wantOpen(t, near[:], true, false, true, true)
	c.changed(near[1], http.StateClosed) // that of the connection which was closed here
	if n := c.count(); n != 2 {
		t.Errorf("%d are counted", n)
	}
}

// pipeFrom is a connection from an address.
type pipeFrom struct {
	net.Conn
	address net.TCPAddr
}

func (p *pipeFrom) RemoteAddr() net.Addr { return &p.address }

// A pod that opens hundreds of connections at once would otherwise cut off the API server in the middle of a review.
func TestWhoOpensManyConnectionsClosesTheirOwn(t *testing.T) {
	c := &connections{limit: 4}
	var all []net.Conn
	for i, from := range []string{"10.0.0.1", "10.0.0.2", "10.9.9.9", "10.9.9.9", "10.9.9.9", "10.9.9.9"} {
		near, _ := net.Pipe()
		all = append(all, &pipeFrom{near, net.TCPAddr{IP: net.ParseIP(from), Port: 40000 + i}})
		c.changed(all[i], http.StateNew)
	}
	wantOpen(t, all, true, true, false, false, true, true)
}

func wantOpen(t *testing.T, connections []net.Conn, want ...bool) {
	t.Helper()
	for i, connection := range connections {
		if open := connection.SetDeadline(time.Time{}) == nil; open != want[i] {
			t.Errorf("connection %d: open %v, want %v", i, open, want[i])
		}
	}
}

func TestAHeaderHasABound(t *testing.T) {
	_, o := serve(t, Options{})
	connection, err := net.Dial("tcp", o.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "GET /health/live HTTP/1.1\r\n"+strings.Repeat("X: x\r\n", maxHeader)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(connection, answer); err != nil || string(answer) != "HTTP/1.1 431" {
		t.Errorf("got %q, %v", answer, err)
	}
}
