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

// client sends spans by OTLP over HTTP, in protobuf. OpenTelemetry's own client does the same, but imports gRPC: 1.5 MiB of memory in
// every operator, even if no traces are made.
type client struct {
	url     string
	headers http.Header
	redact  *exec.Redactor // of the secrets in the headers
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
	// No redirect is followed: the headers are only for this collector, and a redirected POST may become a GET. The redirect is reported
	// as an error.
	to.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{url: t.URL(), headers: headers, redact: secretsOf(headers), gzip: t.Compression == "gzip", timeout: time.Duration(t.Timeout) * time.Millisecond, http: to}, nil
}

// headersOf reads OTEL_EXPORTER_OTLP_HEADERS. The error contains no value, which may be a secret.
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

// secretsOf returns a Redactor for the headers' values, which an answer may repeat: each whole, and a token without the word before it.
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

// How much of an answer is read, and how much reported, in bytes. More is read than reported, because a secret that is cut would not be
// recognized.
const (
	longestAnswer = 4 << 10
	longestTold   = 200
)

// trust adds the certificates of a PEM file to those that are trusted by default.
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

// Start does nothing: the first batch of spans connects. It implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error { c.http.CloseIdleConnections(); return nil }

// UploadTraces sends spans. Until the timeout it repeats requests that could not be accepted for the moment.
func (c *client) UploadTraces(ctx context.Context, spans []*v1.ResourceSpans) error {
	// TracesData has the same single field as the request's own message, whose package imports gRPC.
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
	last := error(nil) // reported instead of the timeout
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

// post sends one request. The error is a backoff.PermanentError if repeating the request cannot help.
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
