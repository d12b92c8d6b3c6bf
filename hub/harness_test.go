package hub

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"octo-operator/config"
	"octo-operator/dev/devcontroller"
)

// patience is how long a test waits before it fails. No result depends on its length.
const patience = 2 * time.Minute

// TestMain runs more tests beside each other than there are processors: they wait, most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const (
	tenant = "acme"
	poolID = "65d5c447b420da3fb12381bc"
	workID = "65d5c447b420da3fb1238101"
)

var (
	pool     = Pool{TenantID: tenant, PoolRtID: poolID}
	poolThat = devcontroller.Pool{TenantID: tenant, ID: poolID} // the same pool, as the controller sees it
)

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newController makes a controller of generation G3, unless options say otherwise, that does not listen yet.
func newController(t *testing.T, options devcontroller.Options) *devcontroller.Server {
	t.Helper()
	if options.Generation == "" {
		options.Generation = devcontroller.G3
	}
	s := devcontroller.New(options)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func startController(t *testing.T, options devcontroller.Options) *devcontroller.Server {
	t.Helper()
	s := newController(t, options)
	must(t, s.Start(ownAddress()))
	return s
}

var addresses atomic.Int32

// ownAddress is a loopback address that no other test uses: while a controller is away nobody else may get its port.
func ownAddress() string { return fmt.Sprintf("127.0.1.%d:0", addresses.Add(1)%250+1) }

// operator is a client under test with what it received and logged.
type operator struct {
	*Client
	events     chan Event
	registered chan []Pool
	statuses   chan string // of all pools, each as "pool status"
	log        *logBook
}

type setup struct {
	settings   config.Config
	connecting func()
	receive    func(Event) // called before the event goes to operator.events
}

func edge(*setup) {}

func central(s *setup) { s.settings.AutoManagePools = true }

// startOperator runs a client until the end of the test.
func startOperator(t *testing.T, url string, changes ...func(*setup)) *operator {
	t.Helper()
	o := newOperator(t, url, changes...)
	t.Cleanup(o.start())
	return o
}

// startWithPool starts a controller and an operator, and waits until the operator's pool is registered.
func startWithPool(t *testing.T) (context.Context, *devcontroller.Server, *operator) {
	t.Helper()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.RegisterPool(pool)
	_, err := controller.WaitRegistered(ctx, poolThat)
	must(t, err)
	return ctx, controller, operator
}

func newOperator(t *testing.T, url string, changes ...func(*setup)) *operator {
	t.Helper()
	s := setup{settings: config.Config{ControllerURI: url, PoolRetrySeconds: 1}, receive: func(Event) {}}
	for _, change := range changes {
		change(&s)
	}
	o := &operator{events: make(chan Event, 2000), registered: make(chan []Pool, 100), statuses: make(chan string, 2000), log: newLogBook(t)}
	client, err := New(s.settings, Options{
		Connecting: s.connecting,
		Receive: func(events []Event) {
			for _, e := range events {
				s.receive(e)
				o.events <- e
			}
		},
		PoolStatus: func(p Pool, status string) {
			select {
			case o.statuses <- p.ID() + " " + status:
			default: // a test with so many looks at none
			}
		},
		Registered: func(_ context.Context, pools []Pool) {
			select {
			case o.registered <- pools:
			default: // a test with so many connections does not look at each
			}
		},
	}, slog.New(slog.NewJSONHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	must(t, err)
	o.Client = client
	return o
}

// start runs the client until stop is called, which returns when it has ended.
func (o *operator) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// next returns the next event that the operator received.
func (o *operator) next(ctx context.Context, t *testing.T) Event {
	t.Helper()
	return receive(ctx, t, o.events, "an event")
}

// untilRegistered waits for the next successful registration at the controller.
func (o *operator) untilRegistered(ctx context.Context, t *testing.T) []Pool {
	t.Helper()
	return receive(ctx, t, o.registered, "a registration")
}

func receive[T any](ctx context.Context, t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		t.Fatalf("gave up waiting for %s", what)
		panic("unreachable")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantUnbroken fails the test unless the operator has had only one connection, which is still up and has kept to the protocol.
func wantUnbroken(t *testing.T, s *devcontroller.Server) {
	t.Helper()
	wantNoViolations(t, s)
	connections := s.Connections()
	if len(connections) != 1 || connections[0].State != devcontroller.StateConnected {
		t.Errorf("the connection did not stay up: %+v", connections)
	}
}

func wantNoViolations(t *testing.T, s *devcontroller.Server) {
	t.Helper()
	if found := s.ProtocolViolations(); len(found) > 0 {
		t.Errorf("violations of the protocol: %q", found)
	}
}

// logBook keeps log records, one JSON object each.
type logBook struct {
	mu      sync.Mutex
	records []string
	changed chan struct{} // closed and replaced with each record
}

func newLogBook(t *testing.T) *logBook {
	b := &logBook{changed: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the operator's log:\n%.20000s", b.text())
		}
	})
	return b
}

func (b *logBook) Write(record []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, string(record))
	close(b.changed)
	b.changed = make(chan struct{})
	return len(record), nil
}

func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.records, "")
}

// count returns the number of records that hold all parts.
func (b *logBook) count(parts ...string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, record := range b.records {
		if holdsAll(record, parts) {
			n++
		}
	}
	return n
}

// wait waits until a record holds all parts.
func (b *logBook) wait(ctx context.Context, t *testing.T, parts ...string) {
	t.Helper()
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		if b.count(parts...) > 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("gave up waiting for a log record with %q", parts)
		}
	}
}

func holdsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func workload(name string) devcontroller.Workload {
	return devcontroller.Workload{
		Pool: poolThat, Name: name, RtID: workID, RepositoryURL: "https://charts.example", ChartName: "demo",
	}
}

func workloadName(t *testing.T, e Event) string {
	t.Helper()
	w, err := Decode[Workload](e.Argument)
	must(t, err)
	return w.WorkloadName
}

// rtID24 returns a runtime id that ends in n.
func rtID24(n int) string { return fmt.Sprintf("65d5c447b420da3fb12%05x", n) }
