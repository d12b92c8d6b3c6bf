package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileChart is a chart's archive: a good one with the changes of the case.
type hostileChart struct {
	Top     string         `json:"top"`     // the directory in the archive; default: evil
	Files   map[string]any `json:"files"`   // by their path below it; null: the good chart's file is left out
	Entries []hostileEntry `json:"entries"` // further entries, unchanged
	Archive any            `json:"archive"` // the whole archive, instead
	Many    int            `json:"many"`    // number of further files
	Cut     int            `json:"cut"`     // number of bytes of the archive that are sent
}

// hostileEntry is an entry of a tar archive.
type hostileEntry struct {
	Name any    `json:"name"`
	Type string `json:"type"` // symlink, hardlink, fifo, device, directory; default: file
	Link string `json:"link"`
	Text any    `json:"text"`
	Size int64  `json:"size"` // number of zeros, instead of a text
}

var entryTypes = map[string]byte{
	"": tar.TypeReg, "symlink": tar.TypeSymlink, "hardlink": tar.TypeLink, "fifo": tar.TypeFifo, "device": tar.TypeChar, "directory": tar.TypeDir,
}

// goodChart is the chart that a case changes: it creates one config map.
var goodChart = map[string]any{
	"Chart.yaml":               "apiVersion: v2\nname: evil\nversion: 1.0.0\n",
	"templates/configmap.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  chart: {{ .Chart.Version | quote }}\n",
}

func (h *hostileChart) archive(p places) ([]byte, error) {
	if h == nil {
		h = &hostileChart{}
	}
	archive := []byte(p.text(h.Archive))
	if h.Archive == nil {
		var err error
		if archive, err = h.pack(p); err != nil {
			return nil, err
		}
	}
	if h.Cut > 0 {
		archive = archive[:h.Cut]
	}
	return archive, nil
}

func (h *hostileChart) pack(p places) ([]byte, error) {
	var archive bytes.Buffer
	zip, err := gzip.NewWriterLevel(&archive, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	out := tar.NewWriter(zip)
	files := maps.Clone(goodChart)
	maps.Copy(files, h.Files)
	top := h.Top
	if top == "" {
		top = "evil"
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if files[name] == nil {
			continue
		}
		if err := add(out, p, hostileEntry{Name: top + "/" + name, Text: files[name]}); err != nil {
			return nil, err
		}
	}
	for i := range h.Many {
		if err := add(out, p, hostileEntry{Name: fmt.Sprintf("%s/many/%d", top, i), Text: "x"}); err != nil {
			return nil, err
		}
	}
	for _, entry := range h.Entries {
		if err := add(out, p, entry); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	err = zip.Close()
	return archive.Bytes(), err
}

func add(out *tar.Writer, p places, e hostileEntry) error {
	text := []byte(p.text(e.Text))
	header := &tar.Header{Name: p.text(e.Name), Typeflag: entryTypes[e.Type], Linkname: p.fill(e.Link), Mode: 0o644, Size: max(e.Size, int64(len(text)))}
	if header.Typeflag != tar.TypeReg {
		header.Size = 0
	}
	if err := out.WriteHeader(header); err != nil {
		return fmt.Errorf("cannot make the archive: %s: %w", header.Name, err)
	}
	if header.Size == 0 {
		return nil
	}
	if e.Size > 0 {
		_, err := io.CopyN(out, zeros{}, e.Size)
		return err
	}
	_, err := out.Write(text)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// repositoryThatIsHostile is how a repository behaves. By default it is as it should be: an index with the chart, its address and digest.
type repositoryThatIsHostile struct {
	URL     string                   `json:"url"`     // the archive's address in the index
	Digest  string                   `json:"digest"`  // the archive's digest in the index
	Index   any                      `json:"index"`   // the whole index
	Answers map[string]hostileAnswer `json:"answers"` // by path below the repository's; "*": for every other one
}

// hostileAnswer is an HTTP response.
type hostileAnswer struct {
	Status  int               `json:"status"` // default: 200
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
	Endless bool              `json:"endless"` // the body is sent again and again
	Hangs   bool              `json:"hangs"`   // the answer does not end after the body
	Short   bool              `json:"short"`   // the body is shorter than the announced length
}

// hostileServer serves the repositories of all cases, each below /NAME/, and registries.
type hostileServer struct {
	*httptest.Server
	mu    sync.Mutex
	cases map[string]*servedCase
	over  chan struct{} // closed at the test's end, to end the answers that hang
}

type servedCase struct {
	repository repositoryThatIsHostile
	index      []byte
	archive    []byte
	places     places
}

func newHostileServer(t *testing.T) *hostileServer {
	s := &hostileServer{cases: map[string]*servedCase{}, over: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { close(s.over); s.Close() })
	return s
}

// serve makes a case's repository, and adds what it contains to the places.
func (s *hostileServer) serve(c *hostileCase, p places) error {
	if c.Chart == nil && c.Repository == nil {
		return nil
	}
	served := &servedCase{places: p}
	if c.Repository != nil {
		served.repository = *c.Repository
	}
	var err error
	if served.archive, err = c.Chart.archive(p); err != nil {
		return err
	}
	p["DIGEST"], p["SIZE"] = digestOf(served.archive), fmt.Sprint(len(served.archive))
	address, digest := p.fill(served.repository.URL), p.fill(served.repository.Digest)
	if address == "" {
		address = "evil-1.0.0.tgz"
	}
	if digest == "" {
		digest = p["DIGEST"]
	}
	served.index = fmt.Appendf(nil, "apiVersion: v1\nentries:\n  evil:\n  - apiVersion: v2\n    name: evil\n    version: 1.0.0\n    digest: %s\n    urls:\n    - %q\n", digest, address)
	if served.repository.Index != nil {
		served.index = []byte(p.text(served.repository.Index))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cases[c.Name] = served
	return nil
}

func (s *hostileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	registry := strings.HasPrefix(r.URL.Path, "/v2/")
	name, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2"), "/"), "/")
	s.mu.Lock()
	c := s.cases[name]
	s.mu.Unlock()
	if c == nil {
		http.NotFound(w, r)
		return
	}
	if registry {
		path = "v2/" + path
	}
	answer, made := c.repository.Answers[path]
	if !made {
		answer, made = c.repository.Answers["*"]
	}
	switch {
	case made:
		s.answer(w, r, answer, c.places)
	case path == "index.yaml":
		_, _ = w.Write(c.index)
	case path == "evil-1.0.0.tgz":
		_, _ = w.Write(c.archive)
	default:
		http.NotFound(w, r)
	}
}

func (s *hostileServer) answer(w http.ResponseWriter, r *http.Request, answer hostileAnswer, p places) {
	body := []byte(p.text(answer.Body))
	for name, value := range answer.Headers {
		w.Header().Set(name, p.fill(value))
	}
	if answer.Short {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+1000))
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	w.WriteHeader(answer.Status)
	for {
		if _, err := w.Write(body); err != nil || !answer.Endless || r.Context().Err() != nil {
			break
		}
	}
	if answer.Hangs {
		w.(http.Flusher).Flush()
		select {
		case <-s.over:
		case <-r.Context().Done():
		}
	}
}

// trap is a server that must not be contacted: an internal service of the operator's node, or a thief of credentials.
type trap struct {
	*httptest.Server
	answers  string
	mu       sync.Mutex
	requests []string
}

// newTrap listens on a loopback address.
func newTrap(t *testing.T, address, answers string) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	caught := &trap{answers: answers}
	caught.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: caught, ReadHeaderTimeout: time.Minute}}
	caught.Start()
	t.Cleanup(caught.Close)
	return caught
}

func (t *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, fmt.Sprintf("%s %s %v", r.Method, r.URL, r.Header))
	_, _ = io.WriteString(w, t.answers)
}

func (t *trap) seen() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.requests)
}
