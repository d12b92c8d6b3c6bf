package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/web"
)

func TestReadyMeansServing(t *testing.T) {
	full := errors.New("no space left on device")
	locked := fmt.Errorf("cannot lock the state directory: %w", runs.ErrLocked)
	away := errors.New("not registered at the controller")
	for _, test := range []struct {
		name           string
		found          []error // the results of successive checks
		away           error
		badCertificate bool
		ending         bool
		unable, says   string // unable: the text of status 503; says: that of status 200
		able           bool
	}{
		{name: "before the first look", unable: "the operator is starting"},
		{name: "all is well", found: []error{nil}, able: true},
		{name: "the controller or the API server away", found: []error{nil}, away: away, says: "not registered", able: true},
		{name: "never able to work", found: []error{full}, unable: "no space left"},
		{name: "never able to work, with the controller away too", found: []error{full}, away: away, unable: "no space left"},
		{name: "able to work after all", found: []error{full, nil}, able: true},
		{name: "a fault later on", found: []error{nil, full}, says: "no space left"},
		{name: "another operator has the volume", found: []error{locked}, says: "another operator"},
		{name: "another operator had the volume, which cannot be used", found: []error{locked, full}, unable: "no space left"},
		{name: "no certificate", found: []error{nil}, badCertificate: true, unable: "cannot read the certificate"},
		{name: "no certificate while another operator has the volume", found: []error{locked}, badCertificate: true, unable: "cannot read the certificate"},
		{name: "ending", found: []error{nil}, ending: true, unable: "the operator is ending", able: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := web.Options{Log: slog.New(slog.DiscardHandler), Metrics: web.NewMetrics(web.State{}, web.Labels{})}
			if test.badCertificate {
				options.HTTPS, options.CertificateFile = "127.0.0.1:0", filepath.Join(t.TempDir(), "svc.pem")
			}
			r := &readiness{server: web.New(options), away: func() error { return test.away }, log: options.Log}
			for _, err := range test.found {
				r.found(err)
			}
			r.ending.Store(test.ending)
			got := r.tell()
			if text := fmt.Sprint(got.Unable); (got.Unable == nil) != (test.unable == "") || !strings.Contains(text, test.unable) {
				t.Errorf("unable: %s", text)
			}
			if text := fmt.Sprint(got.Trouble); test.says != "" && !strings.Contains(text, test.says) || test.says == "" && test.unable == "" && got.Trouble != nil {
				t.Errorf("trouble: %s", text)
			}
			if r.able() != test.able {
				t.Errorf("able to work: %v", r.able())
			}
		})
	}
}

func TestWhatKeepsTheOperatorFromItsWorkIsLoggedOncePerChange(t *testing.T) {
	var log strings.Builder
	r := &readiness{log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, err := range []error{nil, nil, errors.New("full"), errors.New("full"), errors.New("read-only"), nil, nil} {
		r.found(err)
	}
	for message, want := range map[string]int{"the operator cannot work": 2, "the operator can work again": 1} {
		if n := strings.Count(log.String(), message); n != want {
			t.Errorf("%q is logged %d times:\n%s", message, n, log.String())
		}
	}
}
