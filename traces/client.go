package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"octo-operator/config"
	"octo-operator/exec"
	"octo-operator/text"
)

// client sends spans by OTLP over HTTP, in protobuf. OpenTelemetry's own client does the same, but brings gRPC along: 1.5 MiB of memory
// in every operator, also where no traces are made.
type client struct {
	url     string
	headers http.Header
	redact  *exec.Redactor // of the headers
	gzip    bool
	timeout time.Duration
	http    *http.Client
}

func newClient(settings config.Config) (*client, error) {
	t := settings.Traces
	if t.Protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %s, and only http/protobuf is spoken: set that, and the collector's port for HTTP, usually 4318", t.Protocol)
	}
	headers, err := headersOf(t.Headers)
	if err != nil {
		return nil, err
	}
	to, err := settings.HTTPClient()
	if err == nil && t.Certificate != "" {
		err = trust(to.Transport.(*http.Transport), t.Certificate)
	}
	if err != nil {
		return nil, err
	}
	// The headers are for this collector alone, and a redirected POST may become a GET. The answer is told as it is.
	to.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{url: t.URL(), headers: headers, redact: secretsOf(headers), gzip: t.Compression == "gzip", timeout: time.Duration(t.Timeout) * time.Millisecond, http: to}, nil
}

// headersOf reads OTEL_EXPORTER_OTLP_HEADERS. The error does not hold what may be a secret.
func headersOf(list string) (http.Header, error) {
	headers := http.Header{}
	for i, entry := range strings.Split(list, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, value, found := strings.Cut(entry, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: entry %d is not name=value, percent-encoded", i+1)
		}
		headers.Set(name, value)
	}
	return headers, nil
}

// secretsOf takes out of an answer what was sent: each header, and a token without the word before it.
func secretsOf(headers http.Header) *exec.Redactor {
	var values []string
	for _, all := range headers {
		for _, value := range all {
			_, token, _ := strings.Cut(value, " ")
			values = append(values, value, strings.TrimSpace(token))
		}
	}
	return exec.NewRedactor(values...)
}

// What of an answer is read, and told, in bytes. More is read, because a secret that is cut would not be known.
const (
	longestAnswer = 4 << 10
	longestTold   = 200
)

// trust adds the certificates of a PEM file to those that are trusted anyway.
func trust(transport *http.Transport, file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
	}
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	roots := transport.TLSClientConfig.RootCAs
	if roots == nil {
		if roots, err = x509.SystemCertPool(); err != nil {
			return fmt.Errorf("cannot read the system's root certificates: %w", err)
		}
	}
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no PEM certificate", file)
	}
	transport.TLSClientConfig.RootCAs = roots
	return nil
}

// Start is otlptrace.Client's. The first batch of spans connects.
func (c *client) Start(context.Context) error { return nil }

// Stop is otlptrace.Client's.
func (c *client) Stop(context.Context) error { c.http.CloseIdleConnections(); return nil }

// UploadTraces sends spans, and again what could not be taken at the moment, until the timeout.
func (c *client) UploadTraces(ctx context.Context, spans []*v1.ResourceSpans) error {
	// The request's message has the same single field as this one, whose package does not bring gRPC along.
	body, err := proto.Marshal(&v1.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(body); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		body = packed.Bytes()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %s", c.timeout))
	defer cancel()
	last := error(nil) // what went wrong, rather than that the time is over
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		err := c.post(ctx, body)
		if err != nil && (last == nil || ctx.Err() == nil) {
			last = err
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()))
	if err == nil {
		return nil
	}
	return last
}

// post sends a request. The error is a backoff.PermanentError if the same request would be refused again.
func (c *client) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(err)
	}
	request.Header = c.headers.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	if c.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := c.http.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause
		}
		return err
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	switch code := response.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return fmt.Errorf("the collector answers %s", response.Status)
	default:
		return backoff.Permanent(fmt.Errorf("the collector answers %s: %s", response.Status, text.Clip(text.Printable(c.redact.String(string(said))), longestTold)))
	}
}
