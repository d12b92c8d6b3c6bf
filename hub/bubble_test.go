package hub

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"octo-operator/dev/devcontroller"
)

// inBubble runs a test in which hours take milliseconds: time jumps when all goroutines wait. Operator and controller are the real ones, connected in
// memory, because a goroutine that reads from a real network does not count as waiting.
func inBubble(t *testing.T, options devcontroller.Options, test func(*testing.T, *operator, *devcontroller.Server), changes ...func(*setup)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		controller := newController(t, options)
		network := serveInMemory(t, controller)
		operator := newOperator(t, "http://controller", append(changes, central, func(s *setup) { s.settings.PoolRetrySeconds = 30 })...)
		operator.dial(network)
		stop := operator.start()
		test(t, operator, controller)
		stop()
	})
}

// memoryNetwork is a listener in memory with its dialer.
type memoryNetwork struct {
	connections chan net.Conn
	closed      chan struct{}
}

func serveInMemory(t *testing.T, handler http.Handler) *memoryNetwork {
	t.Helper()
	network := &memoryNetwork{connections: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(network) }()
	t.Cleanup(func() { must(t, server.Close()) })
	return network
}

func (o *operator) dial(network *memoryNetwork) {
	o.http.Transport.(*http.Transport).DialContext = network.dial
}

func (n *memoryNetwork) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case n.connections <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *memoryNetwork) Accept() (net.Conn, error) {
	select {
	case c := <-n.connections:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memoryNetwork) Close() error {
	close(n.closed)
	return nil
}

func (n *memoryNetwork) Addr() net.Addr { return &net.TCPAddr{} }
