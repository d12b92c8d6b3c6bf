package e2e

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// wire is the connection of one operator, with its helm and kubectl, to the API server. It can be cut while others reach the server.
type wire struct {
	kubeconfig string
	server     string // host and port
	listener   net.Listener

	mu  sync.Mutex
	cut bool
	all map[net.Conn]bool
}

var serverOfKubeconfig = regexp.MustCompile(`(server: )(\S+)`)

// newWire makes a wire that is not cut.
func (c *chaos) newWire(number int) *wire {
	c.Helper()
	text, err := os.ReadFile(operatorKubeconfig)
	c.must(err)
	server, err := url.Parse(strings.Trim(serverOfKubeconfig.FindStringSubmatch(string(text))[2], `"`))
	c.must(err)
	w := &wire{server: server.Host, kubeconfig: filepath.Join(c.dir, fmt.Sprintf("kubeconfig-%03d", number)), all: map[net.Conn]bool{}}
	w.listener, err = net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	server.Host = w.listener.Addr().String()
	c.must(os.WriteFile(w.kubeconfig, []byte(serverOfKubeconfig.ReplaceAllString(string(text), "${1}"+server.String())), 0o600))
	go w.serve()
	return w
}

func (w *wire) serve() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.carry(conn)
	}
}

func (w *wire) carry(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", w.server)
	if err != nil || !w.keep(conn, server) {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, conn); _ = server.Close() }()
	_, _ = io.Copy(conn, server)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, conn)
	delete(w.all, server)
}

// keep records connections that will be cut with the wire; false: it is cut already.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		if w.cut {
			_ = conn.Close()
		} else {
			w.all[conn] = true
		}
	}
	return !w.cut
}

func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for conn := range w.all {
		if cut {
			_ = conn.Close()
		}
	}
}

func (w *wire) close() { _ = w.listener.Close() }
