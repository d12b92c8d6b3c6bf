package exec

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestValuesHideASecretByItsLengthAndWhereItStands(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("user:p@ssw0rd"))
	for _, test := range []struct{ secret, value, want string }{
		// as the whole value, whatever the length
		{"x7", "x7", Redacted},
		{"x7", " x7\n", Redacted},
		{"x7\n", "x7", Redacted},
		{"é", "é", Redacted},
		{"1234", "1234", Redacted},
		{"x7", base64.StdEncoding.EncodeToString([]byte("x7")), Redacted},
		{"x7\n", base64.StdEncoding.EncodeToString([]byte("x7\n")), Redacted},
		{"a/b", "a%2Fb", Redacted},
		{"x7", "an x7", "an x7"},
		// as a word of its own
		{"s3cret", "password: s3cret", "password: [redacted]"},
		{"s3cret", "url: https://user:s3cret@host/s3cret?p=s3cret", "url: https://user:[redacted]@host/[redacted]?p=[redacted]"},
		{"s3cret", `{"password":"s3cret"}`, `{"password":"[redacted]"}`},
		{"postgres", "image: postgresql", "image: postgresql"},
		{"pörs", "vpörs", "vpörs"},
		{"#!?$", "a#!?$b", "a[redacted]b"},
		{"s3cret", "s3cret,s3cret", "[redacted],[redacted]"},
		// in another form
		{"p@ss/1", "dsn=" + url.QueryEscape("p@ss/1"), "dsn=[redacted]"},
		{"p@ssw0rd", "user:" + url.QueryEscape("p@ssw0rd") + "x", "user:[redacted]x"},
		{"p@ssw0rd", "token " + base64.StdEncoding.EncodeToString([]byte("p@ssw0rd")), "token [redacted]"},
		{"p@ssw0rd", "Basic " + basic, "Basic " + basic[:7] + Redacted + basic[len(basic)-1:]},
		// anywhere
		{"correct-horse", "xcorrect-horsex", "x[redacted]x"},
		{"first line of it\nsecond line of it", "  first line of it", "  [redacted]"},
		// a boolean is no secret
		{"true", "true", "true"},
		{"1", "1", "1"},
		{"", "", ""},
	} {
		v, err := NewValues(nil, test.secret)
		if err != nil {
			t.Fatal(err)
		}
		got := v.ValueWith(nil, test.value)
		if strings.HasPrefix(test.value, "Basic ") { // the Redactor decides which bytes of the base64 depend on the secret alone
			if !strings.Contains(got, Redacted) || strings.Contains(got, base64.RawStdEncoding.EncodeToString([]byte("p@ssw0rd"))[3:9]) {
				t.Errorf("%q in %q: got %q", test.secret, test.value, got)
			}
			continue
		}
		if got != test.want {
			t.Errorf("%q in %q: got %q, want %q", test.secret, test.value, got, test.want)
		}
	}
}

func TestATextOfAnyKindLosesOnlyWhatStandsOutInIt(t *testing.T) {
	v, err := NewValues(nil, "name", "x7", "correct-horse")
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Text("name: x7 correct-horse"); got != "name: x7 [redacted]" {
		t.Errorf("got %q", got)
	}
	var none *Values
	if got := none.Text("name") + none.ValueWith(nil, "x7"); got != "namex7" {
		t.Errorf("got %q", got)
	}
}

func TestMoreSecretsThanCanBeKeptOutAreAnError(t *testing.T) {
	if _, err := NewValues(nil, noise(9, maxSecrets), "x7"); !errors.Is(err, ErrTooManySecrets) {
		t.Errorf("got %v", err)
	}
}

func TestASecretThatIsPartOfANameStays(t *testing.T) {
	names := []string{"shop-database", "shop-worker", "postgres"}
	v, err := NewValues(names, "shop-database", "hosts:\nshop-worker\nanother-host\n", "correct-horse", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"Service shop-database is invalid":                  "Service shop-database is invalid",
		"pod shop-worker-0 cannot reach another-host":       "pod shop-worker-0 cannot reach [redacted]",
		"shop-database: password correct-horse is too long": "shop-database: password [redacted] is too long",
	} {
		if got := v.Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := v.ValueWith(nil, "shop-database") + v.ValueWith(nil, "postgres"); got != "shop-database"+Redacted {
		t.Errorf("got %q", got)
	}
}

// TestASecretIsTakenOutAsAWholeAlsoWhereAnotherIsAPartOfIt: a chart's Secret may hold the beginning of an event's secret, or all of it and more.
func TestASecretIsTakenOutAsAWholeAlsoWhereAnotherIsAPartOfIt(t *testing.T) {
	const address = "postgres://user:pw-secret@host"
	for name, test := range map[string]struct{ events, charts, value, text string }{
		"the chart's begins the event's": {address, "postgres://", "x [redacted] y", "x [redacted] y"},
		"the event's is in the chart's":  {"pw-secret", address, "x [redacted] y", "x [redacted] y"},
		"they overlap":                   {"postgres://user:pw", "user:pw-secret@host", "x [redacted] y", "x [redacted] y"},
		"a short one is in the event's":  {address, "host", "x [redacted] y", "x [redacted] y"},
		"only the event's":               {"pw-secret", "elsewhere-1", "x postgres://user:[redacted]@host y", "x postgres://user:[redacted]@host y"},
		"only the chart's":               {"elsewhere-1", "user", "x postgres://[redacted]:pw-secret@host y", "x " + address + " y"},
		"neither":                        {"elsewhere-1", "elsewhere-2", "x " + address + " y", "x " + address + " y"},
	} {
		v, err := NewValues(nil, test.charts)
		if err != nil {
			t.Fatal(err)
		}
		r, s := NewRedactor(test.events), "x "+address+" y"
		if value, text := v.ValueWith(r, s), v.TextWith(r, s); value != test.value || text != test.text {
			t.Errorf("%s: got %q as a value and %q as a text", name, value, text)
		}
	}
	v, err := NewValues(nil, "postgres://")
	if err != nil {
		t.Fatal(err)
	}
	for before := pieceSize - len(address); before <= pieceSize; before++ {
		if got, want := v.TextWith(NewRedactor(address), strings.Repeat("x", before)+address), strings.Repeat("x", before)+Redacted; got != want {
			t.Fatalf("after %d bytes: got %q", before, got[before-1:])
		}
	}
	var none *Values
	if got := none.TextWith(NewRedactor("pw-secret"), "pw-secret") + none.ValueWith(nil, "x"); got != Redacted+"x" {
		t.Errorf("without the chart's: got %q", got)
	}
	if v, err = NewValues(nil, "elsewhere-1"); err != nil {
		t.Fatal(err)
	}
	if got := v.TextWith(nil, "an elsewhere-1") + v.TextWith(&Redactor{full: true}, "x elsewhere-1"); got != "an "+Redacted+Redacted {
		t.Errorf("without the event's, and with too many of them: got %q", got)
	}
}
