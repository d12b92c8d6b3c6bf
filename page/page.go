// Package page is the status page: one page for a browser, reached by kubectl port-forward, which shows what the operator does, which events
// wait and why, and each run. No request changes anything.
//
//	handler := page.New(page.Source{Now: now, Runs: runs, Values: values})
//	web.ServeInside(ctx, "OPERATOR__STATUSPAGE", settings.StatusPage, handler, log)
//
// The page asks for JSON below /api/. It inserts everything that a tenant or a chart has written as text only.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"

	"octo-operator/dispatch/runs"
	"octo-operator/web"
)

// Source provides what the page shows. All functions must be set. They are called by several goroutines, and must not return secrets.
type Source struct {
	Now    func() Now
	Runs   func() (*runs.Store, error)                               // error: the state directory cannot be used yet
	Values func(ctx context.Context, run *runs.Run) ([]Value, error) // of a deploy, sorted by path
}

// Value is a leaf of the values that a chart is rendered with.
type Value struct {
	Path  string   `json:"path"`
	Value string   `json:"value"`           // as JSON
	Type  string   `json:"type,omitempty"`  // such as string
	Layer string   `json:"layer,omitempty"` // where it comes from; "": not known
	Notes []string `json:"notes,omitempty"` // what it replaced there, and how its text got its type, in words
	// Warning is what is probably wrong with the value; "": nothing is.
	Warning string `json:"warning,omitempty"`
}

//go:embed static
var static embed.FS

// New returns the handler of the page.
func New(source Source) http.Handler {
	p := &pages{Source: source, turns: make(chan struct{}, maxAtATime), merges: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", file("page.html"))
	mux.Handle("GET /page.css", file("page.css"))
	mux.Handle("GET /page.js", file("page.js"))
	mux.HandleFunc("GET /api/now", p.answer(p.now))
	mux.HandleFunc("GET /api/runs", p.answer(p.list))
	mux.HandleFunc("GET /api/runs/{id}", p.answer(p.run))
	mux.HandleFunc("GET /api/runs/{id}/output", p.answer(p.output))
	mux.HandleFunc("GET /api/runs/{id}/values", p.answer(p.values))
	return guarded(mux)
}

// maxAtATime is how many requests are processed at a time; others wait. Each may need some hundred KiB.
const maxAtATime = 8

type pages struct {
	Source
	turns  chan struct{}
	merges chan struct{} // lets one request at a time merge values, which takes more memory than anything else
}

// file serves a static file of the page.
func file(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, static, path.Join("static", name))
	})
}

// errNoSuchRun becomes 404.
var errNoSuchRun = errors.New("there is no such run: it may have been removed, because it was old")

// answer makes a handler of a function that returns the answer, which is sent as JSON.
func (p *pages) answer(ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case p.turns <- struct{}{}:
			defer func() { <-p.turns }()
		case <-r.Context().Done():
			return
		}
		what, err := ask(r)
		switch {
		case errors.Is(err, errNoSuchRun) || errors.Is(err, fs.ErrNotExist):
			http.Error(w, errNoSuchRun.Error(), http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(what)
	}
}

// found returns the run that a request names. Files are read only of runs that it has found.
func (p *pages) found(r *http.Request) (*runs.Run, error) {
	store, err := p.Runs()
	if err != nil {
		return nil, err
	}
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	for _, run := range slices.Backward(all) {
		if run.Is(id) {
			return run, nil
		}
	}
	return nil, errNoSuchRun
}

// policy allows a browser to run and fetch only what comes from here, and to show the page in no frame. By trusted types, the page's own
// script cannot turn a text into HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guarded answers only requests from within the pod or through kubectl port-forward, and none that another web page has made the browser
// send.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			w.Header().Set(name, value)
		}
		err := web.FromInside(r)
		if err == nil {
			err = fromThePageItself(r)
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the status page only shows: nothing can be changed here", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// fromThePageItself returns an error for a request that another web page has made a browser send.
func fromThePageItself(r *http.Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
		return errors.New("not from another web page: type the address, or open it from your bookmarks")
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return errors.New("not from another web page")
	}
	return nil
}

// cannot makes an error for people.
func cannot(what string, err error) error { return fmt.Errorf("cannot %s: %w", what, err) }
