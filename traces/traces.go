// Package traces makes a trace of each event, for whoever collects OpenTelemetry's: a span for the event, below it one for each phase and each
// wait, in a phase one for each script, in a script one for each command. A script that is of several phases has a span in each.
//
//	tracing, err := traces.Start(settings, version, log) // nil: none are wanted
//	dispatcher.Observe = tracing.Observe
//	defer tracing.Close(time.Second)
package traces

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"octo-operator/config"
	"octo-operator/dispatch"
)

// Traces makes spans of what happens and sends them, in the background and from a queue with a bound: no event ever waits for that, and what
// does not fit into the queue, or cannot be sent, is lost.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer

	mu     sync.Mutex
	events map[string]*event // by the run's id: those that are not finished
}

// Start returns nil if no traces are wanted, and then has started nothing. The error says why none are made although they are wanted.
func Start(settings config.Config, version string, log *slog.Logger) (*Traces, error) {
	if settings.Traces.URL() == "" {
		return nil, nil
	}
	client, err := newClient(settings)
	if err != nil {
		return nil, fmt.Errorf("cannot send traces: %w", err)
	}
	exporter, err := otlptrace.New(context.Background(), client)
	if err != nil {
		return nil, fmt.Errorf("cannot send traces: %w", err)
	}
	// What the SDK has to say of its own variables, or of itself, is a record like any other. There is one of each in a program.
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("traces may lack spans", "reason", err, "next", "events are carried out all the same")
	}))
	log.Info("each event gets a trace", "sent_to", client.url)
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporting{SpanExporter: exporter, log: log, url: client.url}),
		sdk.WithResource(resourceOf(version)),
	)
	return &Traces{provider: provider, tracer: provider.Tracer("octo-operator", trace.WithInstrumentationVersion(version)), events: map[string]*event{}}, nil
}

// resourceOf says who makes the spans. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count more.
func resourceOf(version string) *resource.Resource {
	host, _ := os.Hostname() // in a pod its name
	own := resource.NewSchemaless(attribute.String("service.name", "octo-operator"), attribute.String("service.version", version),
		attribute.String("service.instance.id", host))
	set, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		otel.Handle(err)
	}
	if all, err := resource.Merge(own, set); err == nil {
		return all
	}
	return own
}

// Observe is for dispatch.Dispatcher.
func (t *Traces) Observe(h dispatch.Happening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.events[h.Run.ID]
	if e == nil {
		e = begin(t.tracer, h)
		t.events[h.Run.ID] = e
	}
	if e.happens(h) {
		delete(t.events, h.Run.ID)
	}
}

// Close ends the spans of what is not finished, and sends what is left, for at most so long. A nil Traces has nothing to send.
func (t *Traces) Close(longest time.Duration) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	t.mu.Lock()
	for _, e := range t.events {
		e.stop(time.Now())
	}
	clear(t.events)
	t.mu.Unlock()
	_ = t.provider.Shutdown(ctx) // whether it could be sent is told by exporting
}
