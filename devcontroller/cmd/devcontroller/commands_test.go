package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"octo-operator/devcontroller"
)

// operator connects to the routes and reads what it is sent.
func operator(t *testing.T, url string) (send func(string), next func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	socket, _, err := websocket.Dial(ctx, url+"/operatorHub", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	send = func(frame string) {
		if err := socket.Write(ctx, websocket.MessageText, []byte(frame+"\x1e")); err != nil {
			t.Fatal(err)
		}
	}
	next = func() string {
		_, data, err := socket.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(data), "\x1e")
	}
	send(`{"protocol":"json","version":1}`)
	if got := next(); got != "{}" {
		t.Fatalf("handshake answered %s", got)
	}
	return send, next
}

func request(t *testing.T, method, url, body string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestCommandsOverHTTPAndStdin(t *testing.T) {
	controller := devcontroller.New(devcontroller.Options{Generation: devcontroller.G1})
	server := httptest.NewServer(routes(controller))
	t.Cleanup(func() {
		server.Close()
		_ = controller.Close()
	})
	const workload = `{"tenantId":"t","poolName":"p","workloadName":"w","size":12345678901234567890}`
	none := http.Header{}
	status, text := request(t, "POST", server.URL+"/send/WorkloadDeployedAsync", "["+workload+"]", none)
	if status != http.StatusConflict || !strings.Contains(text, "no operator is connected") {
		t.Errorf("without an operator: got %d %s", status, text)
	}

	send, next := operator(t, server.URL)
	send(`{"type":1,"invocationId":"1","target":"RegisterPoolAsync","arguments":["t","p"]}`)
	next()
	event := `{"type":1,"target":"WorkloadDeployedAsync","arguments":[{"poolName":"p","size":12345678901234567890,` +
		`"tenantId":"t","workloadName":"w"}]}`
	if status, text := request(t, "POST", server.URL+"/send/WorkloadDeployedAsync", "["+workload+"]", none); status != 200 {
		t.Errorf("send: got %d %s", status, text)
	}
	if got := next(); got != event {
		t.Errorf("got %s, want %s", got, event)
	}
	foreign := http.Header{"Origin": {"https://example.org"}}
	if status, _ := request(t, "POST", server.URL+"/send/WorkloadDeployedAsync", "["+workload+"]", foreign); status != 403 {
		t.Errorf("send from a web page: got %d, want 403", status)
	}
	if _, text := request(t, "GET", server.URL+"/calls", "", none); !strings.Contains(text, `"Method":"RegisterPoolAsync"`) {
		t.Errorf("calls: got %s", text)
	}

	var out strings.Builder
	quit := false
	input := "send WorkloadDeployedAsync " + workload + "\ncalls\nconnections\nsend Broken {\nreject X\nwhat\nquit\n"
	readCommands(t.Context(), strings.NewReader(input), &out, controller, func() { quit = true })
	if got := next(); got != event {
		t.Errorf("got %s, want %s", got, event)
	}
	for _, want := range []string{
		`RegisterPoolAsync("t", "p")`, `"State":"connected"`, "cannot read the arguments of Broken", "want reject METHOD", "quit",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if !quit {
		t.Error("quit was not obeyed")
	}
}
