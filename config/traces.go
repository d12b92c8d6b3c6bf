package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Traces says where traces of events are sent. The variables are OpenTelemetry's own; its SDK reads the rest of them (the service's name, the
// sampler, the queue).
type Traces struct {
	Disabled bool
	Exporter string // "otlp" or "none"

	Endpoint    string // of the collector, to which the path of traces is added; empty: not set
	TracesURL   string // for traces alone, used as it is; empty: see Endpoint
	Protocol    string // "http/protobuf" is what this operator speaks
	Headers     string // name=value, …, percent-encoded: they may hold a token; empty: none
	Compression string // "none" or "gzip"
	Certificate string // PEM file with additional roots to trust; empty: none
	Timeout     int    // of a request, in milliseconds
}

// URL returns the URL to which traces are sent; empty: none are made.
func (t Traces) URL() string {
	switch {
	case t.Disabled || t.Exporter == "none":
		return ""
	case t.TracesURL != "" || t.Endpoint == "":
		return t.TracesURL
	}
	return strings.TrimSuffix(t.Endpoint, "/") + "/v1/traces"
}

func telemetry(c *Config) []setting {
	t := &c.Traces
	return []setting{
		{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", parse: collectorURL(&t.Endpoint),
			Meaning: "an OpenTelemetry collector, such as `http://collector:4318`, that gets a trace of each event; not set: no traces are made"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", parse: collectorURL(&t.TracesURL), Meaning: "the same with its path, such as `http://collector:4318/v1/traces`"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_HEADERS", Aliases: []string{"OTEL_EXPORTER_OTLP_HEADERS"}, Secret: true, parse: text(&t.Headers),
			Meaning: "headers of each request, `name=value,name=value`, percent-encoded"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", Aliases: []string{"OTEL_EXPORTER_OTLP_PROTOCOL"}, Default: "http/protobuf",
			parse: oneOf(&t.Protocol, "http/protobuf", "http/json", "grpc"), Meaning: "only `http/protobuf` is spoken; with another one no traces are made, and a warning says so"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", Aliases: []string{"OTEL_EXPORTER_OTLP_COMPRESSION"}, Default: "none",
			parse: oneOf(&t.Compression, "none", "gzip"), Meaning: "`gzip` or `none`"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", Aliases: []string{"OTEL_EXPORTER_OTLP_CERTIFICATE"}, parse: text(&t.Certificate),
			Meaning: "PEM file with which the collector's certificate is verified besides the system's roots and `OPERATOR__ROOTCACERTIFICATE`"},
		{Name: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", Aliases: []string{"OTEL_EXPORTER_OTLP_TIMEOUT"}, Default: "10000", parse: whole(&t.Timeout, 1),
			Meaning: "how long a request may take, in milliseconds; what could not be sent by then is lost"},
		{Name: "OTEL_TRACES_EXPORTER", Default: "otlp", parse: oneOf(&t.Exporter, "otlp", "none"), Meaning: "`none`: no traces are made"},
		{Name: "OTEL_SDK_DISABLED", Default: "false", parse: boolean(&t.Disabled), Meaning: "`true`: no traces are made"},
	}
}

func collectorURL(into *string) func(string) error {
	return func(text string) error {
		text = strings.TrimSpace(text)
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("%q is not a URL such as http://collector:4318", text[strings.LastIndex(text, "@")+1:]) // without a password
		}
		if u.User != nil {
			return errors.New("holds credentials: they belong in OTEL_EXPORTER_OTLP_TRACES_HEADERS")
		}
		*into = text
		return nil
	}
}
