package exec

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
)

var benchmarkSecrets = []string{
	"correct horse battery staple", "hunter2hunter2", "s3cr3t-br0ker-pa55", "mongodb-Admin!", "x9$kLm2#pQ7@",
	"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ", "another-one", "created-not-really", "lines of it",
	"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n",
}

func TestRedactorFindsASecretInAllItsForms(t *testing.T) {
	const secret = `pa"ss & <wörd>'/+`
	asJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(secret)
	for name, form := range map[string]string{
		"itself":              secret,
		"base64":              base64.StdEncoding.EncodeToString(b),
		"raw base64":          base64.RawStdEncoding.EncodeToString(b),
		"base64 for URLs":     base64.URLEncoding.EncodeToString(b),
		"raw base64, URLs":    base64.RawURLEncoding.EncodeToString(b),
		"JSON":                string(asJSON[1 : len(asJSON)-1]),
		"JSON, HTML as it is": `pa\"ss & <wörd>'/+`,
		"%q":                  strings.Trim(fmt.Sprintf("%q", secret), `"`),
		"query":               url.QueryEscape(secret),
		"path":                url.PathEscape(secret),
		"user of a URL":       strings.TrimPrefix(url.UserPassword("", secret).String(), ":"),
		"YAML":                `pa"ss & <wörd>''/+`,
		"shell":               `pa"ss & <wörd>'\''/+`,
	} {
		if got := NewRedactor(secret).String("a " + form + " b"); got != "a [redacted] b" {
			t.Errorf("%s: %q became %q", name, form, got)
		}
	}
}

func TestRedactorFindsASecretInALargerBase64(t *testing.T) {
	const secret = "hunter2hunter2"
	r := NewRedactor(secret)
	for before := range 6 {
		for after := range 4 {
			text := strings.Repeat("u", before) + secret + strings.Repeat("v", after)
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding} {
				got := r.String(enc.EncodeToString([]byte(text)))
				if !strings.Contains(got, Redacted) || len(got) > len(Redacted)+before*2+after*2+4 {
					t.Errorf("%q became %q", text, got)
				}
			}
		}
	}
}

func TestRedactorRules(t *testing.T) {
	for _, tt := range []struct {
		name     string
		secrets  []string
		in, want string
	}{
		{"longest wins", []string{"hunter", "hunter2"}, "hunter2 hunter3", "[redacted] [redacted]3"},
		{"nothing is left of overlapping ones", []string{"abcde", "cdefgh"}, "xabcdefghx", "x[redacted]x"},
		{"one within another that does not come", []string{"abcdefX", "cdef"}, "abcdefY", "ab[redacted]Y"},
		{"neighbours are one", []string{"hunter2"}, "hunter2hunter2", "[redacted]"},
		{"beginning only", []string{"hunter2"}, "hunter hunte", "hunter hunte"},
		{"too short to hide", []string{"abc", ""}, "abc abc", "abc abc"},
		{"line end of a file is not part of it", []string{"hunter2\n"}, "hunter2\nnext", "[redacted]\nnext"},
		{"several lines", []string{"first line\nsecond line"}, "a\nfirst line\nsecond line\nb", "a\n[redacted]\nb"},
		{"several lines, CRLF", []string{"first line\nsecond line"}, "first line\r\nsecond line\r\nb", "[redacted]\r\nb"},
		{"several lines, indented", []string{"first line\nsecond line"}, "  first line\n  second line\n", "  [redacted]\n  [redacted]\n"},
		{"several lines, as JSON", []string{"first line\nsecond line\n"}, `"first line\nsecond line\n"`, `"[redacted]"`},
		{"one line of several", []string{"first line\nshort\nlast line!"}, "error in 'last line!' or short", "error in '[redacted]' or short"},
		{"a PEM frame is no secret", []string{"-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----"}, "-----BEGIN KEY-----\nOTHER", "-----BEGIN KEY-----\nOTHER"},
		{"no secrets", nil, "text", "text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRedactor(tt.secrets...)
			if got := r.String(tt.in); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			for n := 1; n < len(tt.in); n++ {
				if got := redactInPieces(r, tt.in, n); got != tt.want {
					t.Errorf("in pieces of %d bytes: %q", n, got)
				}
			}
		})
	}
}

func TestNilRedactorChangesNothing(t *testing.T) {
	var r *Redactor
	if got := r.String("text") + redactInPieces(r, "more", 1); got != "textmore" {
		t.Errorf("got %q", got)
	}
}

func TestRedactorHoldsBackOnlyWhatMayBecomeASecret(t *testing.T) {
	var out strings.Builder
	w := NewRedactor("hunter2", "first line\nsecond line").writer(&out)
	for _, step := range []struct{ write, want string }{
		{"a whole line\n", "a whole line\n"},
		{"Continue? [y/n] ", "Continue? [y/n] "},
		{"hunt", ""},
		{"ing\n", "hunting\n"},
		{"hun", ""},
		{"ter2", ""},
		{"\n", "[redacted]\n"},
		{"first line", ""},
		{"\nsecond", ""}, // may be the rest of the secret
		{" thoughts\n", "[redacted]\nsecond thoughts\n"},
		{"hunt", ""},
	} {
		out.Reset()
		io.WriteString(w, step.write)
		if out.String() != step.want {
			t.Errorf("after %q: %q, want %q", step.write, out.String(), step.want)
		}
	}
	out.Reset()
	if w.Close(); out.String() != "hunt" {
		t.Errorf("at the end: %q", out.String())
	}
}

func redactInPieces(r *Redactor, s string, n int) string {
	var out strings.Builder
	w := r.writer(&out)
	for _, piece := range pieces(s, n) {
		io.WriteString(w, piece)
	}
	w.Close()
	return out.String()
}

func FuzzRedactor(f *testing.F) {
	f.Add("user hunter2 pass\nfirst line\nsecond line\n", "hunter2", "first line\nsecond line", uint8(3))
	f.Add("aaaaabaaaa", "aaaa", "aaab", uint8(1))
	f.Add("aHVudGVyMg==", "hunter2", "", uint8(2))
	f.Fuzz(func(t *testing.T, text, secret1, secret2 string, chunk uint8) {
		r := NewRedactor(secret1, secret2)
		for _, in := range []string{text, text + secret1 + text + secret2, secret1[len(secret1)/2:] + secret1} {
			got := r.String(in)
			if pieced := redactInPieces(r, in, int(chunk)+1); pieced != got {
				t.Fatalf("%q in pieces of %d: %q, whole: %q", in, int(chunk)+1, pieced, got)
			}
			clean := true
			for _, secret := range []string{secret1, secret2} {
				for form := range forms(secret) {
					if len(form) < minSecret {
						continue
					}
					clean = clean && len(form) < longText && !strings.Contains(in, form)
					for part := range strings.SplitSeq(got, Redacted) {
						if strings.Contains(part, form) {
							t.Fatalf("%q became %q, which holds %q", in, got, form)
						}
					}
				}
			}
			if clean && got != in {
				t.Fatalf("%q holds no secret, became %q", in, got)
			}
		}
	})
}

func BenchmarkRedactor(b *testing.B) {
	line := "2026-11-23T10:00:00Z created resource deployments.apps/some-workload in namespace octo, waiting for hunters\n"
	text := []byte(strings.Repeat(line, 300)) // about what one read of the pipe gives
	w := NewRedactor(benchmarkSecrets...).writer(io.Discard)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w.Write(text)
	}
	b.ReportMetric(300*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// A secret as large as a keystore must not make the start of a run slow, or take much memory.
func BenchmarkNewRedactorLargeSecret(b *testing.B) {
	var secret strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&secret, "line %d of a secret, %x\n", i, i*7919)
	}
	b.ReportAllocs()
	for b.Loop() {
		NewRedactor(secret.String())
	}
}
