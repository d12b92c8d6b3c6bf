package traces

import (
	"context"
	"log/slog"
	"sync/atomic"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exporting logs once that spans cannot be sent, and once that they can be sent again.
type exporting struct {
	sdk.SpanExporter
	log    *slog.Logger
	url    string
	failed atomic.Bool
}

// ExportSpans implements sdk.SpanExporter. Spans that cannot be sent are lost.
func (e *exporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.failed.Swap(true):
		e.log.Warn("traces are lost: they cannot be sent", "to", e.url, "reason", err,
			"next", "events are carried out all the same, and newer traces are tried: look whether a collector takes OTLP over HTTP there, and at OTEL_EXPORTER_OTLP_HEADERS")
	case err == nil && e.failed.Swap(false):
		e.log.Info("traces can be sent again", "to", e.url)
	}
	return nil
}
