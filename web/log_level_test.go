package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const levelPath = "/system/v1/diagnostics/reconfigureLogLevel"

func TestTheLogLevelChangesWithoutARestart(t *testing.T) {
	level := &slog.LevelVar{}
	_, o := serve(t, Options{LogLevel: level})
	for _, test := range []struct {
		query string
		want  slog.Level
	}{
		{"minLogLevel=Debug&maxLogLevel=Fatal&loggerName=*", slog.LevelDebug},
		{"minLogLevel=Trace&maxLogLevel=Off", slog.LevelDebug - 4},
		{"MINLOGLEVEL=warn&maxloglevel=FATAL", slog.LevelWarn},
		{"minLogLevel=2&maxLogLevel=5", slog.LevelInfo},
		{"minLogLevel=Error&maxLogLevel=Error&loggerName=", slog.LevelError},
		{"minLogLevel=1&maxLogLevel=1", slog.LevelDebug},
	} {
		status, body := send(t, http.DefaultClient, http.MethodPost, "http://"+o.HTTP+levelPath+"?"+test.query, "", nil)
		if status != http.StatusNoContent || level.Level() != test.want {
			t.Errorf("%s: got %d %s, level %v, want %v", test.query, status, body, level.Level(), test.want)
		}
	}
}

func TestOffHidesErrorsToo(t *testing.T) {
	level := &slog.LevelVar{}
	into := &logBuffer{}
	log := slog.New(slog.NewTextHandler(into, &slog.HandlerOptions{Level: level}))
	_, o := serve(t, Options{LogLevel: level, Log: log})
	if status, _ := send(t, http.DefaultClient, http.MethodPost, "http://"+o.HTTP+levelPath+"?minLogLevel=Off&maxLogLevel=Off", "", nil); status != http.StatusNoContent {
		t.Errorf("got %d", status)
	}
	log.Error("an error")
	if said := into.String(); !strings.Contains(said, "the log level changes") || strings.Contains(said, "an error") {
		t.Errorf("the log is\n%s", said)
	}
}

func TestAWrongLogLevelIsNamed(t *testing.T) {
	level := &slog.LevelVar{}
	_, o := serve(t, Options{LogLevel: level})
	for query, want := range map[string]string{
		"":                                   `minLogLevel: "" is none of Trace, Debug, Info, Warn, Error, Fatal, Off, or their numbers 0 to 6`,
		"minLogLevel=Debug":                  `maxLogLevel: "" is none of`,
		"minLogLevel=Verbose&maxLogLevel=1":  `minLogLevel: "Verbose" is none of`,
		"minLogLevel=7&maxLogLevel=Off":      `minLogLevel: "7" is none of`,
		"minLogLevel=-1&maxLogLevel=Off":     `minLogLevel: "-1" is none of`,
		"minLogLevel=Error&maxLogLevel=Info": "maxLogLevel: Info is below minLogLevel, Error",
		"minLogLevel=Warn&maxLogLevel=Fatal&loggerName=Microsoft.*": `loggerName: "Microsoft.*": this operator has one log`,
	} {
		status, body := send(t, http.DefaultClient, http.MethodPost, "http://"+o.HTTP+levelPath+"?"+query, "", nil)
		if status != http.StatusBadRequest || !strings.Contains(body, want) || level.Level() != slog.LevelInfo {
			t.Errorf("%s: got %d %q, level %v", query, status, body, level.Level())
		}
	}
	if status, _ := get(t, http.MethodGet, "http://"+o.HTTP+levelPath+"?minLogLevel=1&maxLogLevel=1"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", status)
	}
}

func TestOnlyWhoIsInThePodChangesTheLogLevel(t *testing.T) {
	for _, test := range []struct {
		name, from, host string
		header           []string
		want             int
	}{
		{"kubectl exec", "127.0.0.1:40000", "127.0.0.1:5000", nil, http.StatusNoContent},
		{"kubectl port-forward", "127.0.0.1:40000", "localhost:8080", nil, http.StatusNoContent},
		{"IPv6", "[::1]:40000", "[::1]:5000", nil, http.StatusNoContent},
		{"IPv6 without a port", "[::1]:40000", "[::1]", nil, http.StatusNoContent},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:40000", "localhost", nil, http.StatusNoContent},
		{"another pod", "10.1.2.3:40000", "127.0.0.1:5000", nil, http.StatusForbidden},
		{"another pod that says it is here", "10.1.2.3:40000", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, http.StatusForbidden},
		{"another pod over IPv4 in IPv6", "[::ffff:10.1.2.3]:40000", "localhost", nil, http.StatusForbidden},
		{"nobody", "", "localhost", nil, http.StatusForbidden},
		{"a name that leads here", "127.0.0.1:40000", "evil.example:5000", nil, http.StatusForbidden},
		{"a name that only begins like it", "127.0.0.1:40000", "127.0.0.1.evil.example", nil, http.StatusForbidden},
		{"a web page", "127.0.0.1:40000", "localhost:5000", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a web page without an origin", "127.0.0.1:40000", "localhost:5000", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"a proxy in the pod", "127.0.0.6:40000", "localhost", []string{"X-Forwarded-Proto", "http"}, http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			level := &slog.LevelVar{}
			log, _ := newLog()
			handler := routes(Options{LogLevel: level, Log: log, Metrics: NewMetrics(State{}, Labels{})})
			request := httptest.NewRequest(http.MethodPost, levelPath+"?minLogLevel=Debug&maxLogLevel=Fatal", nil)
			request.RemoteAddr, request.Host = test.from, test.host
			if test.header != nil {
				request.Header.Set(test.header[0], test.header[1])
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code != test.want || (level.Level() == slog.LevelDebug) != (test.want == http.StatusNoContent) {
				t.Errorf("got %d %s, level %v", answer.Code, answer.Body, level.Level())
			}
		})
	}
}
