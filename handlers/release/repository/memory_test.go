package repository

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// largeIndex is about as long as that of a large public repository.
func largeIndex(charts, versions int) string {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	for c := range charts {
		fmt.Fprintf(&text, "  chart-%d:\n", c)
		for v := range versions {
			e := Entry{Chart: fmt.Sprint("chart-", c), Version: fmt.Sprintf("1.%d.0", v), Digest: digestA, URL: fmt.Sprintf("https://charts.example.com/chart-%d-1.%d.0.tgz", c, v)}
			text.WriteString(block(e, 2) + "    description: " + strings.Repeat("what it does ", 35) + "\n")
		}
	}
	return text.String()
}

func TestWhatIsHeldOfAnIndexDoesNotGrowWithIt(t *testing.T) {
	text := largeIndex(300, 20)
	var before, now runtime.MemStats
	count, most := 0, uint64(0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := read(strings.NewReader(text), func(Entry) error {
		if count++; count%500 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		return nil
	})
	if err != nil || count != 6000 {
		t.Fatalf("%d versions, %v", count, err)
	}
	if held := int64(most) - int64(before.HeapAlloc); held > 1<<20 {
		t.Errorf("of an index of %d KiB, %d KiB are held", len(text)>>10, held>>10)
	}
}

func BenchmarkRead(b *testing.B) {
	text := largeIndex(300, 20)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := writeEntries(io.Discard, state{}, func(each func(Entry) error) error { return read(strings.NewReader(text), each) }); err != nil {
			b.Fatal(err)
		}
	}
}
