package doctor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// controllerRig is a rig with a controller, and with an issuer unless that is nil. token is the one that the controller requires; "": none.
func controllerRig(t *testing.T, issuer http.HandlerFunc, token string, environ ...string) (*rig, *devcontroller.Server) {
	t.Helper()
	controller := devcontroller.New(devcontroller.Options{Generation: devcontroller.G3})
	if err := controller.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { controller.Close() })
	if token != "" {
		controller.SetAuthorize(func(got string) bool { return got == token })
	}
	if issuer != nil {
		environ = append(environ, "OPERATOR__AUTHENTICATION__ISSUERURI=http://"+serve(t, issuer), "OPERATOR__AUTHENTICATION__CLIENTID=operator",
			"OPERATOR__AUTHENTICATION__CLIENTSECRET=planted-client-secret")
	}
	return newRig(t, append(environ, "OPERATOR__COMMUNICATIONCONTROLLERURI="+controller.URL())...), controller
}

// gives simulates an issuer of a token.
func gives(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if request.Method == http.MethodGet {
			fmt.Fprintf(w, `{"issuer": "http://%s", "token_endpoint": "http://%s/token"}`, request.Host, request.Host)
			return
		}
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 3600}`, token)
	}
}

func refuses(w http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodGet {
		gives("")(w, request)
		return
	}
	http.Error(w, `{"error": "invalid_client"}`, http.StatusUnauthorized)
}

func TestTheControllerIsReachedWithTheTokenThatItWants(t *testing.T) {
	const token = "planted-token"
	for name, test := range map[string]struct {
		issuer http.HandlerFunc
		wants  string
		want   []string // mark and words of each finding
	}{
		"no token":               {nil, "", []string{"ok takes the connection"}},
		"the right token":        {gives(token), token, []string{"ok given by http://|good until", "ok takes the connection"}},
		"another token":          {gives("another"), token, []string{"ok given by", "fail 401|does not accept the access token"}},
		"a token that is none":   {nil, token, []string{"fail wants an access token: set OPERATOR__AUTHENTICATION__ISSUERURI"}},
		"an issuer that says no": {refuses, token, []string{"fail cannot get an access token|invalid_client", "ok answers, and wants a token"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, controller := controllerRig(t, test.issuer, test.wants)
			all := r.looks("controller")
			if len(all) != len(test.want) {
				t.Error(show(all))
			}
			for _, want := range test.want {
				mark, words, _ := strings.Cut(want, " ")
				r.want(all, Mark(mark), strings.Split(words, "|")...)
			}
			for _, secret := range []string{"planted-token", "planted-client-secret"} {
				if strings.Contains(show(all), secret) {
					t.Error(show(all))
				}
			}
			if calls, wrong := controller.Calls(), controller.ProtocolViolations(); len(calls)+len(wrong) > 0 {
				t.Errorf("the controller was called: %v, violations %q", calls, wrong)
			}
		})
	}
}

func TestAControllerThatIsAwayIsNamedWithWhatToDo(t *testing.T) {
	r := newRig(t)
	r.want(r.looks("controller"), Warn, "OPERATOR__COMMUNICATIONCONTROLLERURI is not set")
	away := nobody(t)
	r = newRig(t, "OPERATOR__COMMUNICATIONCONTROLLERURI=http://"+away)
	r.want(r.looks("controller"), Fail, away, "connection refused", "look whether the controller runs")
	silent := deaf(t)
	r = newRig(t, "OPERATOR__COMMUNICATIONCONTROLLERURI=http://"+silent)
	r.want(r.hanging("controller"), Fail, silent, "no answer within", "network policy")
}

func TestAnIssuerThatHangsLeavesTimeForTheController(t *testing.T) {
	r, _ := controllerRig(t, func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }, "planted-token")
	r.limit = checkTime // half of it is for the controller
	all := r.looks("controller")
	r.want(all, Fail, "cannot get an access token")
	r.want(all, OK, "answers, and wants a token")
}
