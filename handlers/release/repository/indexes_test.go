package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server is a chart repository.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	index    string
	etag     string
	status   int           // 0: it works
	hold     chan struct{} // nil: it answers at once
	asked    int
	sent     int // whole indexes
	username string
}

func newServer(t *testing.T) (*server, *Indexes) {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s, NewIndexes(t.TempDir(), s.Client())
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	s.username, _, _ = r.BasicAuth()
	hold, index, etag, status := s.hold, s.index, s.etag, s.status
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if r.URL.Path != "/index.yaml" {
		status = http.StatusNotFound
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	s.mu.Lock()
	s.sent++
	s.mu.Unlock()
	_, _ = w.Write([]byte(index))
}

// offers makes the entries the index, with an ETag of their number.
func (s *server) offers(entries ...Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n  app:\n")
	for _, e := range entries {
		text.WriteString(block(e, 2))
	}
	s.index, s.etag = text.String(), fmt.Sprintf(`"%d"`, len(entries))
}

func (s *server) counts(t *testing.T, asked, sent int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != asked || s.sent != sent {
		t.Errorf("it was asked %d times and sent %d indexes, want %d and %d", s.asked, s.sent, asked, sent)
	}
}

func (s *server) finds(t *testing.T, x *Indexes, version string, confirmed time.Time, want Entry) Found {
	t.Helper()
	got, err := x.Find(t.Context(), Source{URL: s.URL + "/"}, "app", version, confirmed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Entry); diff != "" {
		t.Error(diff)
	}
	return got
}

func TestAnUnchangedIndexIsNotSentAgainAndAYoungOneNotAskedFor(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	began := time.Now()
	s.finds(t, x, "1.0.0", time.Now(), app1)
	s.counts(t, 1, 1)
	s.finds(t, x, "1.0.0", began, app1)
	s.counts(t, 1, 1)
	s.finds(t, x, "1.0.0", time.Now(), app1)
	s.counts(t, 2, 1)
	s.offers(app1, app2)
	s.finds(t, x, "", time.Now(), app2)
	s.counts(t, 3, 2)
	// After a restart the index is on disk, and the repository is asked whether it has changed.
	s.finds(t, NewIndexes(x.dir, s.Client()), "", began, app2)
	s.counts(t, 4, 2)
}

func TestWhoAsksAtTheSameTimeWaitsForOneAnswer(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1, app2)
	s.hold = make(chan struct{})
	began := time.Now()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			got, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", began)
			if err != nil || got.Entry != app2 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	close(s.hold)
	all.Wait()
	s.counts(t, 1, 1)
}

func TestWhoGivesUpLeavesTheNextOneToAskForItself(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	s.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	gaveUp := make(chan error)
	go func() {
		_, err := x.Find(ctx, Source{URL: s.URL}, "app", "", began)
		gaveUp <- err
	}()
	for asked := 0; asked == 0; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		asked = s.asked
		s.mu.Unlock()
	}
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(s.hold)
	if got, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", began); err != nil || got.Entry != app1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhoGivesUpWhileAnIndexIsReadDoesNotWaitForItsEnd(t *testing.T) {
	_, x := newServer(t)
	for _, text := range []string{"apiVersion: v1\nentries:\n  app:\n" + block(app1, 2), `{"apiVersion":"v1","entries":{}}`} {
		ctx, cancel := context.WithCancel(t.Context())
		downloaded := io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }))
		if _, err := x.store(ctx, downloaded, state{}, x.file(Source{})); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

func TestAFailureIsSharedByWhoHasWaitedForItAlone(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	s.status = http.StatusBadGateway
	began := time.Now()
	for range 3 {
		if _, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", began); !errors.Is(err, errUnknown) {
			t.Errorf("got %v", err)
		}
	}
	s.counts(t, 1, 0)
	s.status = 0
	s.finds(t, x, "", time.Now(), app1)
}

func TestWhatIsNotInTheIndexIsSaid(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	for _, test := range []struct {
		chart, version string
		hasChart       bool
	}{{"app", "3.0.0", true}, {"app", ">2", true}, {"app", "newest", true}, {"ap", "", false}, {"app\",\"version", "", false}} {
		_, err := x.Find(t.Context(), Source{URL: s.URL}, test.chart, test.version, time.Now())
		missing := (*NotFoundError)(nil)
		if !errors.As(err, &missing) || missing.HasChart != test.hasChart {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

func TestAnIndexOfAnUnusualFormIsReadAllAtOnce(t *testing.T) {
	s, x := newServer(t)
	s.index, s.etag = "apiVersion: v1\nentries: {app: [{name: app, version: 1.0.0, urls: [app-1.0.0.tgz], digest: "+digestA+"}, {name: app}], web: []}\n", `"1"`
	s.finds(t, x, "", time.Now(), app1)
	s.finds(t, x, "1.0.0", time.Now(), app1)
	s.counts(t, 2, 1)
}

func TestAnIndexThatIsNoneIsSaidToBeAndAskedForAgain(t *testing.T) {
	for text, want := range map[string]string{
		"<html>Sign in</html>":                 "values must be a map",
		"kind: List\n":                         "no apiVersion",
		"apiVersion: v1\nentries: [1]\n":       "a list does not fit in its field entries",
		"apiVersion: v1\nentries: {app: {}}\n": "a map does not fit in its field entries",
		"apiVersion: v1\nentries: {app: [" + strings.Repeat("{},", 200_000) + "]}\n": "the limit is",
		"apiVersion: v1\nentries: {app: [" + strings.Repeat("x", 6<<20) + "]}\n":     "the limit is",
	} {
		s, x := newServer(t)
		s.index, s.etag = text, `"1"`
		for range 2 {
			_, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", time.Now())
			if !errors.Is(err, errUnknown) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s: got %v", text, err)
			}
		}
		s.counts(t, 2, 2)
	}
}

// An earlier version of the operator has left such an index to helm.
func TestAFileWithoutEntriesIsNotTaken(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	if err := os.WriteFile(x.file(Source{URL: s.URL + "/"}), []byte(`{"etag":"\"1\"","unusual":"it has flow style"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.finds(t, x, "", time.Now(), app1)
	s.counts(t, 1, 1)
}

func TestAnIndexBeyondTheLimitIsRefusedBeforeItIsRead(t *testing.T) {
	s, x := newServer(t)
	s.index = strings.Repeat("#", maxIndex+1)
	_, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", time.Now())
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestAnIndexOfCountlessChartsIsRefusedBeforeTheirNamesFillTheMemory(t *testing.T) {
	yaml, json := strings.Builder{}, strings.Builder{}
	yaml.WriteString("apiVersion: v1\nentries:\n")
	json.WriteString(`{"apiVersion":"v1","entries":{"app":[]`)
	for i := range maxCharts + 1 {
		fmt.Fprintf(&yaml, "  app-%d:\n", i)
		fmt.Fprintf(&json, `,"app-%d":[]`, i)
	}
	for _, text := range []string{yaml.String(), json.String() + "}}"} {
		s, x := newServer(t)
		s.index = text
		_, err := x.Find(t.Context(), Source{URL: s.URL}, "app", "", time.Now())
		if !errors.Is(err, ErrTooLarge) || errors.Is(err, errUnknown) || !strings.Contains(err.Error(), "more than 20000 charts") {
			t.Errorf("got %v", err)
		}
	}
}

func TestCredentialsBelongToTheirOwnIndex(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	began := time.Now()
	for _, user := range []string{"reader", "other", ""} {
		if _, err := x.Find(t.Context(), Source{URL: s.URL, Username: user, Password: "x"}, "app", "", began); err != nil {
			t.Fatal(err)
		}
		if s.username != user {
			t.Errorf("asked as %q, want %q", s.username, user)
		}
	}
	s.counts(t, 3, 3) // other credentials: what one user may read, another may not
}

func TestWhatNobodyAsksForIsForgotten(t *testing.T) {
	s, x := newServer(t)
	s.offers(app1)
	s.finds(t, x, "", time.Now(), app1)
	x.Forget(time.Hour)
	if len(x.known) != 1 {
		t.Error("forgotten too soon")
	}
	x.Forget(0)
	if len(x.known) != 0 {
		t.Error("not forgotten")
	}
	s.finds(t, x, "", time.Time{}, app1)
}

func TestARepositoryThatDoesNotAnswerInTimeIsSaidToInOneWay(t *testing.T) {
	s, x := newServer(t)
	s.hold = make(chan struct{})
	defer close(s.hold)
	client := *s.Client()
	client.Timeout = 10 * time.Millisecond
	x.http = &client
	for range 20 {
		_, err := x.Find(t.Context(), Source{URL: s.URL + "?sig=planted"}, "app", "", time.Now())
		if want := "the index cannot be read: Get \"" + s.URL + "/index.yaml\": context deadline exceeded"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
