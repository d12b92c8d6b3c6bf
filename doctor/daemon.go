package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"

	"octo-operator/config"

	"octo-operator/hub"
)

// daemon asks the daemon in this pod, or on this machine, for its state.
func (x *examination) daemon(ctx context.Context) []Finding {
	code, ready, err := x.askDaemon(ctx, "/health/ready")
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && x.inPod():
		return []Finding{found(Fail, "daemon", "nothing answers at %s", x.daemonAddress()).
			todo("look at the pod's log: it says why nobody listens there; KESTREL__ENDPOINTS__HTTP__URL says where the daemon should")}
	case errors.Is(err, syscall.ECONNREFUSED):
		return []Finding{found(Skip, "daemon", "none runs on this machine: nothing answers at %s", x.daemonAddress())}
	case errors.Is(err, errNoAddress):
		return []Finding{found(Skip, "daemon", "%v", err)}
	case err != nil:
		return []Finding{found(Fail, "daemon", "does not answer at %s: %v", x.daemonAddress(), because(ctx, err)).todo("look at its log")}
	}
	told := strings.Join(x.state(ctx), ", ")
	trouble := troubleIn(ready)
	switch {
	case code == http.StatusNotFound: // another program listens there
		return []Finding{found(Skip, "daemon", "what answers at %s is no octo-operator", x.daemonAddress())}
	case code != http.StatusOK:
		return []Finding{found(Fail, "daemon", "not ready: %s", ready).todo("mend that: until then the pod gets no webhooks and no work")}
	case trouble != "":
		return []Finding{found(Warn, "daemon", "%s; but: %s", told, trouble).todo("mend that; the log says when it began")}
	}
	return []Finding{found(OK, "daemon", "%s", told)}
}

// troubleIn returns what is wrong although the daemon is ready. That another operator leads is not wrong.
func troubleIn(ready string) string {
	var lines []string
	for line := range strings.Lines(ready) {
		line = strings.TrimSpace(line)
		if line != "" && line != "ready" && line != "ready, but:" && !strings.HasPrefix(line, "standing by: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// state returns what the daemon's metrics say.
func (x *examination) state(ctx context.Context) []string {
	told := []string{"ready"}
	metrics := x.metrics(ctx)
	if generation := generationIn(metrics); generation != 0 {
		told = append(told, fmt.Sprintf("registered at the controller (generation %s)", generation))
	}
	if pools := metrics["octo_operator_pools_registered"]; pools != "" {
		told = append(told, "pools registered: "+pools)
	}
	switch metrics["octo_operator_leader"] {
	case "1":
		told = append(told, "leads")
	case "0":
		told = append(told, "stands by")
	}
	return told
}

// generation is the controller's, as the daemon has found out; 0: not known.
func (x *examination) generation(ctx context.Context) hub.Generation {
	return generationIn(x.metrics(ctx))
}

func generationIn(metrics map[string]string) hub.Generation {
	for _, g := range []hub.Generation{hub.G1, hub.G3, hub.G4} {
		if metrics[fmt.Sprintf("octo_operator_connected{generation=%q}", g)] == "1" {
			return g
		}
	}
	return 0
}

// metrics returns the operator's own metrics, by name and labels; none if no daemon answers.
func (x *examination) metrics(ctx context.Context) map[string]string {
	all := map[string]string{}
	_, text, err := x.askDaemon(ctx, "/metrics")
	if err != nil {
		return all
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "octo_operator_") {
			all[name] = value
		}
	}
	return all
}

var errNoAddress = errors.New("its port is chosen when it starts, and not known here: KESTREL__ENDPOINTS__HTTP__URL")

// longestReply is in bytes: the metrics are some ten thousand.
const longestReply = 1 << 20

func (x *examination) askDaemon(ctx context.Context, path string) (code int, text string, err error) {
	address := x.daemonAddress()
	if strings.HasSuffix(address, ":0") {
		return 0, "", errNoAddress
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request) // without a proxy
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestReply))
	return response.StatusCode, string(body), err
}

// daemonAddress is the daemon's address for probes, on loopback: only there it tells details.
func (x *examination) daemonAddress() string { return config.Dialled(x.Settings.HTTPAddress) }
