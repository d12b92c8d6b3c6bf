package exec

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"runtime"
	"strings"
	"testing"
)

// noise is text without repetitions; the same seed gives the same text.
func noise(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return base64.StdEncoding.EncodeToString(raw)[:size]
}

func TestALongSecretIsTakenOutWholeInEachOfItsForms(t *testing.T) {
	for _, size := range []int{longText - 1, longText, longText + 1, 5*blockSize + 7, 10_000} {
		secret := noise(1, size/2) + `"'<\` + noise(2, size-size/2-4)
		r := NewRedactor(secret, "hunter2")
		for form := range forms(secret) {
			for _, chunk := range []int{1000, 61} {
				if got := redactInPieces(r, "before "+form+" after hunter2", chunk); got != "before [redacted] after [redacted]" {
					t.Fatalf("%d bytes: %d bytes of it are left: %.300q", size, len(got), got)
				}
			}
		}
	}
}

func TestALongSecretIsFoundWhateverIsBeforeIt(t *testing.T) {
	secret := noise(3, 1000)
	periodic := strings.Repeat(secret[:blockSize-1], 20)
	for name, in := range map[string]string{
		"its own beginning":            secret[:500],
		"its beginning, off by some":   secret[:blockSize+5],
		"its beginning in a beginning": secret[:2*blockSize] + secret[:blockSize+9],
		"its end":                      secret[700:],
	} {
		got := NewRedactor(secret).String("a " + in + secret + " b " + secret + " c")
		if strings.Contains(got, secret[len(secret)-20:]) && !strings.HasPrefix(got, "a "+secret[700:]) || !strings.HasSuffix(got, "[redacted] b [redacted] c") {
			t.Errorf("after %s: %q", name, got)
		}
	}
	if got := NewRedactor(periodic).String("a " + periodic[:100] + periodic + " b"); !strings.HasSuffix(got, "[redacted] b") || len(got) > 100 {
		t.Errorf("a secret that repeats itself: %q", got)
	}
}

func TestWhatFollowsALongSecretIsNotHeldBack(t *testing.T) {
	secret := noise(4, 1000)
	var out strings.Builder
	w := NewRedactor(secret).writer(&out)
	fmt.Fprintf(w, "%s%s", secret, strings.Repeat(".", 2*blockSize))
	if got := out.String(); !strings.HasPrefix(got, "[redacted].") {
		t.Errorf("got %q", got)
	}
	fmt.Fprint(w, "\n")
	if got := out.String(); !strings.HasSuffix(got, ".\n") {
		t.Errorf("got %q", got)
	}
}

// taken returns how many MiB are still in use after f, and how many f has allocated altogether.
func taken(f func() any) (inUse, all int) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int(after.HeapAlloc-before.HeapAlloc) >> 20, int(after.TotalAlloc-before.TotalAlloc) >> 20
}

func TestSecretsOfAnySizeTakeSomeMiB(t *testing.T) {
	if os.Getenv("EXEC_TEST_PLAIN") == "" { // the code below runs in the plain binary
		binary, err := plain()
		if err != nil {
			t.Fatal(err)
		}
		again := osexec.Command(binary, "-test.run", "^"+t.Name()+"$")
		again.Env = append(os.Environ(), "EXEC_TEST_PLAIN=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	lines := func(size, count int, end string) string {
		var b strings.Builder
		text := noise(6, size*count)
		for i := range count {
			b.WriteString(text[i*size:(i+1)*size] + end + "\n")
		}
		return b.String()
	}
	many := func(size, count int) (all []string) {
		for i := range count {
			all = append(all, noise(uint64(i), size))
		}
		return all
	}
	for name, test := range map[string]struct {
		secrets []string
		full    bool
		inUse   int // MiB
		all     int
	}{
		"one of 1 MiB":                  {[]string{noise(1, 1<<20)}, false, 12, 60},
		"one of 4 MiB":                  {[]string{noise(1, 4<<20)}, true, 1, 1},
		"a bundle of certificates":      {[]string{lines(64, 3500, "")}, false, 16, 30},
		"many lines":                    {[]string{lines(8, 200_000, "")}, true, 1, 250},
		"lines that are escaped":        {[]string{lines(8, 5_000, "''''''''")}, false, 16, 60},
		"many lines that are escaped":   {[]string{lines(8, 40_000, "''''''''")}, true, 1, 120},
		"hundreds of passwords":         {many(40, 500), false, 12, 20},
		"hundreds of keys of some KiB":  {many(3000, 500), false, 30, 80},
		"thousands of keys in 4 MiB":    {many(400, 10_000), true, 1, 1},
		"thousands of words in 200 KiB": {many(20, 10_000), true, 1, 60},
	} {
		t.Run(name, func(t *testing.T) {
			var r *Redactor
			inUse, all := taken(func() any { r = NewRedactor(test.secrets...); return r })
			if r.Full() != test.full || inUse > test.inUse || all > test.all {
				t.Errorf("full %v, %d MiB in use, %d MiB in all", r.Full(), inUse, all)
			}
		})
	}
}

func TestARedactorThatIsFullShowsNothing(t *testing.T) {
	r := NewRedactor(noise(1, maxSecrets+1))
	for _, n := range []int{1, 100} {
		if got := redactInPieces(r, "any text\nat all", n); got != Redacted {
			t.Errorf("got %q", got)
		}
	}
	if got := r.String(""); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
