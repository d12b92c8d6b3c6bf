// Package traces makes an OpenTelemetry trace of each event: a span for the event, below it one for each phase and each
// wait, in a phase one for each script, in a script one for each command. A script that runs in several phases has a span in each.
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

// Traces makes spans of what happens and sends them in the background. The queue is bounded: no event ever waits for it, and spans that
// do not fit into it, or cannot be sent, are lost.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer

	mu     sync.Mutex
	events map[string]*event // unfinished events, by the run's id
}

// Start returns nil and starts nothing if no traces are wanted. The error says why none are made although they are wanted.
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
	// The SDK's own messages and errors go to the log. These settings are global.
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

// resourceOf describes this operator as the source of the spans. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
func resourceOf(version string) *resource.Resource {
	host, _ := os.Hostname() // in a pod, the pod's name
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

// Observe is for dispatch.Dispatcher.Observe.
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

// Close ends the open spans, and sends what is left, for at most so long. A nil Traces has nothing to send.
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
	_ = t.provider.Shutdown(ctx) // exporting logs whether the spans could be sent
}
