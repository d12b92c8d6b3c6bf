package config

import "testing"

func TestTheStatusPageIsServedOnLoopbackAloneAndOnAPortOfItsOwn(t *testing.T) {
	const usual = "127.0.0.1:5002"
	for _, test := range []struct {
		environ []string
		want    string
		warning []string // parts of it; none: there is no warning
	}{
		{nil, usual, nil},
		{[]string{"OPERATOR__STATUSPAGE="}, usual, nil}, // as for every setting, a blank value counts as not set
		{[]string{"OPERATOR__STATUSPAGE=off"}, "", nil},
		{[]string{"OPERATOR__STATUSPAGE=Off "}, "", nil},
		{[]string{"OPERATOR__STATUSPAGE=false"}, "", nil}, // YAML reads off as false
		{[]string{"OPERATOR__STATUSPAGE=http://localhost:6000/"}, "localhost:6000", nil},
		{[]string{"OPERATOR__STATUSPAGE=http://[::1]:6000"}, "[::1]:6000", nil},
		{[]string{"OPERATOR__STATUSPAGE=http://127.9.9.9:6000"}, "127.9.9.9:6000", nil},
		{[]string{"OPERATOR__STATUSPAGE=http://+:5002"}, usual, []string{"OPERATOR__STATUSPAGE", "has no login", "http://127.0.0.1:5002 is used"}},
		{[]string{"OPERATOR__STATUSPAGE=http://*:5002"}, usual, []string{"has no login"}},
		{[]string{"OPERATOR__STATUSPAGE=http://0.0.0.0:5002"}, usual, []string{"has no login"}},
		{[]string{"OPERATOR__STATUSPAGE=http://[::]:5002"}, usual, []string{"has no login"}},
		{[]string{"OPERATOR__STATUSPAGE=http://10.0.0.7:5002"}, usual, []string{"has no login"}},
		{[]string{"OPERATOR__STATUSPAGE=http://operator.octo:5002"}, usual, []string{"has no login"}},
		{[]string{"OPERATOR__STATUSPAGE=https://127.0.0.1:5002"}, usual, []string{"neither off nor a URL such as http://127.0.0.1:5002"}},
		{[]string{"OPERATOR__STATUSPAGE=5002"}, usual, []string{"neither off nor a URL"}},
		{[]string{"OPERATOR__STATUSPAGE=http://127.0.0.1:5000"}, "", []string{"OPERATOR__STATUSPAGE", "port of KESTREL__ENDPOINTS__HTTP__URL"}},
		{[]string{"KESTREL__ENDPOINTS__HTTPS__URL=https://+:5002"}, "", []string{"port of KESTREL__ENDPOINTS__HTTPS__URL"}},
		{[]string{"OPERATOR__STATUSPAGE=http://127.0.0.1:0", "KESTREL__ENDPOINTS__HTTP__URL=http://127.0.0.1:0"}, "127.0.0.1:0", nil},
	} {
		c := load(t, test.environ...)
		if c.StatusPage != test.want {
			t.Errorf("%q: served at %q, not at %q", test.environ, c.StatusPage, test.want)
		}
		if test.warning != nil {
			wantWarning(t, c, test.warning...)
		} else if len(c.Warnings) > 0 {
			t.Errorf("%q: warnings %q", test.environ, c.Warnings)
		}
	}
}
