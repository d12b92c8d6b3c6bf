package kube

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

const statusType = "application/json"

func TestAnswersThatAreNoSuccess(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		code                    int
		want                    string
		is                      []string // of: unreachable, not found, conflict
	}{
		{"an object that is not there", statusType, `{"kind":"Status","message":"secrets \"x\" not found","reason":"NotFound","code":404}`, 404,
			`secrets "x" not found`, []string{"not found"}},
		{"a resource that the API server does not know", "text/plain", "404 page not found\n", 404, "404 page not found", []string{"not found"}},
		{"an object that has changed", statusType, `{"kind":"Status","message":"the object has been modified","reason":"Conflict","code":409}`, 409,
			"the object has been modified", []string{"conflict"}},
		{"an object that exists", statusType, `{"kind":"Status","message":"leases \"x\" already exists","reason":"AlreadyExists","code":409}`, 409,
			`leases "x" already exists`, []string{"conflict"}},
		{"no permission", statusType, `{"kind":"Status","message":"secrets is forbidden","reason":"Forbidden","code":403}`, 403, "secrets is forbidden", nil},
		{"a mistake of ours", statusType, `{"kind":"Status","message":"unable to parse requirement","reason":"BadRequest","code":400}`, 400,
			"unable to parse requirement", nil},
		{"no message", statusType, `{"kind":"Status","reason":"Invalid","code":422}`, 422, "Invalid", nil},
		{"nothing at all", "", "", 405, "405 Method Not Allowed", nil},
		{"a redirection", "", "", 302, "302 Found", nil},
		{"a webhook that is away", statusType, `{"kind":"Status","message":"Internal error occurred: failed calling webhook \"w\": context deadline exceeded","code":500}`, 500,
			`Internal error occurred: failed calling webhook "w": context deadline exceeded`, nil},

		{"kubectl proxy without a connection", "text/plain", "dial tcp 127.0.0.1:6443: connect: connection refused\n", 500,
			"cannot reach the API server: dial tcp 127.0.0.1:6443: connect: connection refused", []string{"unreachable"}},
		{"etcd without a leader", statusType, `{"kind":"Status","message":"etcdserver: leader changed","code":500}`, 500,
			"cannot reach the API server: etcdserver: leader changed", []string{"unreachable"}},
		{"etcd that is away", statusType, `{"kind":"Status","message":"rpc error: code = Unavailable desc = error reading from server: EOF","code":500}`, 500,
			"cannot reach the API server: rpc error: code = Unavailable desc = error reading from server: EOF", []string{"unreachable"}},
		{"an API server that begins", statusType, `{"kind":"Status","message":"please try again","reason":"ServiceUnavailable","code":503}`, 503,
			"cannot reach the API server: please try again", []string{"unreachable"}},
		{"an API server that is slow", statusType, `{"kind":"Status","message":"Timeout: request did not complete","reason":"Timeout","code":504}`, 504,
			"cannot reach the API server: Timeout: request did not complete", []string{"unreachable"}},
		{"an API server that is busy", statusType, `{"kind":"Status","message":"Too many requests","reason":"TooManyRequests","code":429}`, 429,
			"cannot reach the API server: Too many requests", []string{"unreachable"}},
		{"an API server that is not ready", "text/plain", "[+]ping ok\n[-]etcd failed: reason withheld\n[-]x failed: reason withheld\nreadyz check failed\n", 500,
			"cannot reach the API server: [-]etcd failed: reason withheld, [-]x failed: reason withheld", []string{"unreachable"}},
		{"a load balancer's page", "text/html", "<html>\n<body>Bad gateway</body>\n</html>\n", 502, "cannot reach the API server: 502 Bad Gateway", []string{"unreachable"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, answer(test.code, test.contentType, test.body))
			before := time.Now()
			err := r.Do(testContext(t), "GET", "/api", nil, nil)
			if err == nil || err.Error() != test.want {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			got := []string{}
			for name, is := range map[string]bool{"unreachable": errors.Is(err, ErrUnreachable), "not found": NotFound(err), "conflict": Conflict(err)} {
				if is {
					got = append(got, name)
				}
			}
			if strings.Join(got, ", ") != strings.Join(test.is, ", ") {
				t.Errorf("it is %q, want %q", got, test.is)
			}
			if outage := r.LastOutage().After(before); outage != errors.Is(err, ErrUnreachable) {
				t.Errorf("counts as an outage: %v", outage)
			}
			if asStatus := (*StatusError)(nil); !errors.As(err, &asStatus) || asStatus.Code != test.code {
				t.Errorf("no StatusError with code %d: %#v", test.code, err)
			}
		})
	}
}

func TestAnAPIServerThatIsGoneIsUnreachable(t *testing.T) {
	r := newRig(t, ok)
	r.server.Close()
	err := r.Ready(testContext(t))
	if !errors.Is(err, ErrUnreachable) || !strings.HasPrefix(err.Error(), "cannot reach the API server: dial tcp 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatBreaksOffIsUnreachable(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"items":[`))
	})
	var into struct{}
	if err := r.Do(testContext(t), "GET", "/api", nil, &into); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestAProxyThatDiesDuringARequestIsUnreachable(t *testing.T) {
	arrived := make(chan bool, 1)
	r := newRig(t, func(_ http.ResponseWriter, req *http.Request) {
		arrived <- true
		<-req.Context().Done()
	})
	go func() {
		<-arrived
		pids, _ := r.starts(t)
		kill(t, pids[0])
	}()
	if err := r.Do(testContext(t), "PATCH", "/api", nil, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestACallersDeadlineIsAnOutageAndItsCancelIsNot(t *testing.T) {
	r := newRig(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	late, cancel := context.WithTimeoutCause(testContext(t), 50*time.Millisecond, errNoAnswer)
	defer cancel()
	err := r.Do(late, "GET", "/api", nil, nil)
	if !errors.Is(err, ErrUnreachable) || err.Error() != "cannot reach the API server: no answer within 30s" {
		t.Errorf("at the deadline: %v", err)
	}

	reason := errors.New("the workload is being undeployed")
	canceled, stop := context.WithCancelCause(testContext(t))
	stop(reason)
	err = r.Do(canceled, "GET", "/api", nil, nil)
	if errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("when cancelled: %v", err)
	}
}
