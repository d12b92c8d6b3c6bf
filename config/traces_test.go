package config

import "testing"

func TestTracesAreSentWhereOpenTelemetrySays(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{nil, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"}, "http://collector:4318/v1/traces"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://collector/otlp/"}, "https://collector/otlp/v1/traces"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://b:2/x"}, "http://b:2/x"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://a:1", "OTEL_SDK_DISABLED=true"}, ""},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:1", "OTEL_TRACES_EXPORTER=none"}, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"}, ""},
	} {
		if got := load(t, test.environ...).Traces.URL(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.environ, got, test.want)
		}
	}
}

func TestTheHeadersOfTracesCanBeReadFromAFile(t *testing.T) {
	c := load(t, "OTEL_EXPORTER_OTLP_HEADERS__FILE="+fileWith(t, "authorization=Bearer%20x\n"))
	if c.Traces.Headers != "authorization=Bearer%20x" || len(c.Warnings) > 0 {
		t.Errorf("got %q, %q", c.Traces.Headers, c.Warnings)
	}
}
