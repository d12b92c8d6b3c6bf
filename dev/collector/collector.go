// Package collector receives traces in tests: OTLP over HTTP, in protobuf, like an OpenTelemetry collector.
package collector

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector keeps the spans that it gets.
type Collector struct {
	URL string // without the path

	server *httptest.Server
	mu     sync.Mutex
	spans  []*tracepb.Span
	seen   []http.Header
	who    map[string]string // attributes of the last resource
	answer int               // status code for each request; 0: spans are accepted
}

// Start starts a collector on loopback.
func Start() *Collector {
	c := &Collector{}
	c.server = httptest.NewServer(http.HandlerFunc(c.take))
	c.URL = c.server.URL
	return c
}

// Close stops the collector.
func (c *Collector) Close() { c.server.Close() }

// Answer makes the collector answer each request with a status and drop its spans; 0: it accepts them again.
func (c *Collector) Answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = status
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, r.Header)
	if c.answer != 0 {
		http.Error(w, "no", c.answer)
		return
	}
	var body io.Reader = r.Body
	var err error
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, err = gzip.NewReader(r.Body)
	}
	var content []byte
	if err == nil {
		content, err = io.ReadAll(body)
	}
	var data tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(content, &data)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, fmt.Sprintf("no traces: %v", err), http.StatusBadRequest)
		return
	}
	for _, resource := range data.ResourceSpans {
		c.who = map[string]string{}
		for _, a := range resource.Resource.Attributes {
			c.who[a.Key] = a.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// Requests returns the headers of all requests so far.
func (c *Collector) Requests() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// Resource returns the resource attributes of the last spans.
func (c *Collector) Resource() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// Span is a span that was received, with those below it in the order in which they began.
type Span struct {
	Name, Error string // Error: the status' text; "": it has not failed
	Failed      bool
	Attributes  map[string]string
	Start, End  uint64 // in ns
	Below       []*Span
}

// Traces returns the outermost spans that were received, in the order in which they began.
func (c *Collector) Traces() []*Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*Span{}
	for _, s := range c.spans {
		span := &Span{Name: s.Name, Attributes: map[string]string{}, Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano}
		span.Failed, span.Error = s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR, s.Status.GetMessage()
		for _, a := range s.Attributes {
			span.Attributes[a.Key] = strings.Trim(a.Value.String()[strings.Index(a.Value.String(), ":")+1:], `"`)
			if text := a.Value.GetStringValue(); text != "" {
				span.Attributes[a.Key] = text
			}
		}
		all[string(s.TraceId)+string(s.SpanId)] = span
	}
	var outermost []*Span
	for _, s := range c.spans {
		span := all[string(s.TraceId)+string(s.SpanId)]
		if above := all[string(s.TraceId)+string(s.ParentSpanId)]; above != nil && len(s.ParentSpanId) > 0 {
			above.Below = append(above.Below, span)
		} else {
			outermost = append(outermost, span)
		}
	}
	for _, span := range all {
		inOrder(span.Below)
	}
	inOrder(outermost)
	return outermost
}

func inOrder(spans []*Span) {
	slices.SortStableFunc(spans, func(a, b *Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
}

// String returns the tree: a line for each span, indented below its parent.
func (s *Span) String() string {
	lines := s.Name
	if s.Failed {
		lines += " failed"
	}
	for _, below := range s.Below {
		lines += "\n  " + strings.ReplaceAll(below.String(), "\n", "\n  ")
	}
	return lines
}
