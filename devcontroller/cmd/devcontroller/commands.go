package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"octo-operator/devcontroller"
)

const help = `send CALLBACK [ARGS]  call the operator; ARGS is a JSON array, or one JSON object
calls                 what the operator invoked
connections           the connections and what they registered
reject METHOD N TEXT  fail the next N calls of a hub method (-1: all, 0: none)
generation G1|G3|G4   for the next connections
drop                  cut all connections
close                 close all connections in good order
quit
`

// sendTimeout bounds a command to an operator that does not read.
const sendTimeout = 10 * time.Second

// poolFlag collects --pool tenant/id.
type poolFlag []devcontroller.Pool

func (p *poolFlag) String() string { return fmt.Sprint([]devcontroller.Pool(*p)) }

func (p *poolFlag) Set(text string) error {
	tenant, id, found := strings.Cut(text, "/")
	if !found {
		return fmt.Errorf("cannot read pool %q: want tenant/id", text)
	}
	*p = append(*p, devcontroller.Pool{TenantID: tenant, ID: id})
	return nil
}

// serve answers the hub and the commands on one address.
func serve(address string, controller *devcontroller.Server, failed chan<- error) (*http.Server, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("cannot listen on %s: only loopback addresses are served", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: routes(controller), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("cannot serve %s: %w", address, err)
		}
	}()
	return server, nil
}

func routes(controller *devcontroller.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", controller)
	mux.HandleFunc("POST /send/{callback}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = send(r.Context(), controller, r.PathValue("callback"), string(body))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) { printLines(w, controller.Calls()) })
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, _ *http.Request) {
		printLines(w, controller.Connections())
	})
	// A web page must not be able to command an operator through its visitor's browser.
	return http.NewCrossOriginProtection().Handler(mux)
}

func printLines[T any](w io.Writer, values []T) {
	encoder := json.NewEncoder(w)
	for _, value := range values {
		_ = encoder.Encode(value)
	}
}

// send calls the operator with a JSON array of arguments; an object stands for its only one.
func send(ctx context.Context, controller *devcontroller.Server, callback, text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		text = "[]"
	}
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	var args []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&args); err != nil {
		return fmt.Errorf("cannot read the arguments of %s as a JSON array: %w", callback, err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return controller.Send(ctx, callback, args...)
}

// readCommands obeys lines until the input ends, which leaves the server running.
func readCommands(ctx context.Context, in io.Reader, out io.Writer, controller *devcontroller.Server, quit func()) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20) // a values document on one line may be long
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "quit" {
			quit()
			return
		}
		if err := obey(ctx, lines.Text(), out, controller); err != nil {
			fmt.Fprintln(out, err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Printf("cannot read commands: %v", err)
	}
}

func obey(ctx context.Context, line string, out io.Writer, controller *devcontroller.Server) error {
	command, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	switch command {
	case "":
	case "send":
		callback, args, _ := strings.Cut(rest, " ")
		return send(ctx, controller, callback, args)
	case "calls":
		for _, call := range controller.Calls() {
			fmt.Fprintln(out, call)
		}
	case "connections":
		printLines(out, controller.Connections())
	case "reject":
		var method string
		var n int
		if _, err := fmt.Sscan(rest, &method, &n); err != nil {
			return fmt.Errorf("cannot read %q: want reject METHOD N TEXT", line)
		}
		words := strings.Fields(rest)
		controller.FailNext(method, n, strings.Join(words[2:], " "))
	case "generation":
		generation, err := devcontroller.ParseGeneration(rest)
		if err != nil {
			return err
		}
		controller.SetGeneration(generation)
	case "drop":
		controller.DropConnections()
	case "close":
		controller.CloseConnections(true)
	default:
		fmt.Fprint(out, help)
	}
	return nil
}
