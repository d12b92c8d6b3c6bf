package traces

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/text"
)

// event has the open spans of an event, from the outermost to the innermost. All but own may be the zero value.
type event struct {
	tracer     trace.Tracer
	own        open
	stage      open // a phase, or a wait
	awaitsPods bool // the stage is the wait for pods
	script     open
	runs       string // the script's name; "": none runs
	// command is open until the next one begins, or its script ends: no script says when a command has ended.
	command open
}

// open is a span that has not ended; its zero value stands for no span.
type open struct {
	span trace.Span
	ctx  context.Context // for spans within it
}

// longestText is in bytes: commands and reasons are read by people.
const longestText = 4 << 10

// begin begins the trace of an event at its first happening. An event from an earlier life of the operator gets a new trace.
func begin(tracer trace.Tracer, h dispatch.Happening) *event {
	e := &event{tracer: tracer}
	ctx, span := tracer.Start(context.Background(), h.Callback, trace.WithTimestamp(h.Time), trace.WithSpanKind(trace.SpanKindConsumer))
	e.own = open{span, ctx}
	e.own.set(named("octo.callback", h.Callback), named("octo.run", h.Run.ID))
	return e
}

// happens records a moment. It returns true if the event has ended.
func (e *event) happens(h dispatch.Happening) bool {
	e.own.set(named("octo.tenant", h.Tenant), named("octo.workload", h.Workload), named("octo.release", h.Release))
	switch h.Kind {
	case runs.KindResumed:
		e.own.set(attribute.Bool("octo.resumed", true))
	case runs.KindPhase:
		goesOn := e.runs // a script may go on in the next phase: it has a span in each
		e.endStage(h.Time)
		e.stage = e.start(e.own.ctx, h.Name, h.Time)
		if goesOn != "" {
			e.startScript(goesOn, h.Time)
		}
	case runs.KindWait:
		if e.awaitsPods && h.Name == runs.WaitPods { // the same wait, with a better text
			e.stage.set(named("octo.waits_for", h.Text))
			break
		}
		e.endStage(h.Time)
		e.awaitsPods = h.Name == runs.WaitPods
		e.stage = e.start(e.own.ctx, "wait: "+h.Name, h.Time, named("octo.waits_for", h.Text))
	case runs.KindScript:
		e.endScript(h.Time)
		e.startScript(h.Name, h.Time)
	case runs.KindCommand:
		e.command.end(h.Time)
		within := e.inner()
		if e.script.span != nil {
			within = e.script.ctx
		}
		e.command = e.start(within, program(h.Name), h.Time, named("octo.command", h.Name))
	case runs.KindExit:
		e.exits(h)
	case runs.KindStopped:
		e.stop(h.Time)
		return true
	case runs.KindEnd:
		e.endStage(h.Time)
		e.own.set(named("octo.outcome", h.Name), named("octo.reason", h.Text))
		if h.Name == string(runs.Failed) {
			e.own.span.SetStatus(codes.Error, text.Clip(h.Text, longestText))
		}
		e.own.end(h.Time)
		return true
	}
	return false
}

// inner returns the context for a script or a command: that of the phase, if there is one.
func (e *event) inner() context.Context {
	if e.stage.span != nil {
		return e.stage.ctx
	}
	return e.own.ctx
}

// exits ends a script and its last command. If the script has failed, both have.
func (e *event) exits(h dispatch.Happening) {
	if e.script.span == nil {
		return
	}
	e.script.set(attribute.Float64("octo.cpu_seconds", h.CPU), attribute.Int64("octo.memory_bytes", h.Memory))
	if h.ExitCode != nil {
		e.script.set(attribute.Int("octo.exit_code", *h.ExitCode))
		if *h.ExitCode != 0 {
			e.script.fail(h.Text)
			e.command.fail(h.Text)
		}
	}
	e.endScript(h.Time)
}

// stop ends all spans because the operator ends: another life continues the event, in a trace of its own.
func (e *event) stop(at time.Time) {
	e.endStage(at)
	e.own.set(attribute.String("octo.outcome", string(runs.KindStopped)))
	e.own.end(at)
}

func (e *event) endStage(at time.Time) {
	e.endScript(at)
	e.stage.end(at)
	e.awaitsPods = false
}

func (e *event) startScript(name string, at time.Time) {
	e.script, e.runs = e.start(e.inner(), name, at), name
}

func (e *event) endScript(at time.Time) {
	e.command.end(at)
	e.script.end(at)
	e.runs = ""
}

func (e *event) start(within context.Context, name string, at time.Time, attributes ...attribute.KeyValue) open {
	ctx, span := e.tracer.Start(within, name, trace.WithTimestamp(at))
	o := open{span, ctx}
	o.set(attributes...)
	return o
}

// set sets attributes, except those without a value.
func (o open) set(attributes ...attribute.KeyValue) {
	for _, a := range attributes {
		if a.Value.Type() != attribute.STRING || a.Value.AsString() != "" {
			o.span.SetAttributes(a)
		}
	}
}

// fail marks the span, if there is one, as failed.
func (o open) fail(why string) {
	if o.span != nil {
		o.span.SetStatus(codes.Error, text.Clip(why, longestText))
	}
}

func (o *open) end(at time.Time) {
	if o.span != nil {
		o.span.End(trace.WithTimestamp(at))
	}
	*o = open{}
}

func named(key, value string) attribute.KeyValue {
	return attribute.String(key, text.Clip(value, longestText))
}

// program returns the name of a command in a list of spans: the program and its first argument, without variables set before it.
func program(command string) string {
	words := strings.Fields(command)
	for len(words) > 1 && strings.Contains(words[0], "=") && !strings.HasPrefix(words[0], "/") {
		words = words[1:]
	}
	return text.Clip(strings.Join(words[:min(2, len(words))], " "), 100)
}
