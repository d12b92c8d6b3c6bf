package runs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// maxTimeline is the largest size of timeline.jsonl in bytes: an event may be tried for days.
	maxTimeline = 512 << 10
	// maxMomentText bounds the words of a moment in bytes.
	maxMomentText = 8 << 10
)

// recorded is what is known of a run's timeline while it grows.
type recorded struct {
	mu    sync.Mutex
	known bool // size is
	size  int64
}

// Record appends moments to the run's timeline. It may be called by several goroutines. Errors are ignored, because a full disk must not stop the
// run. If a timeline grows beyond maxTimeline, its middle is removed: its beginning and its newest moments stay, with a KindCut between them.
func (r *Run) Record(moments ...Moment) {
	var text bytes.Buffer
	for _, m := range moments {
		m.Name, m.Text = shortened(m.Name), shortened(m.Text)
		if line, err := json.Marshal(m); err == nil {
			text.Write(append(line, '\n'))
		}
	}
	if r.Dir == "" || text.Len() == 0 {
		return
	}
	r.recorded.mu.Lock()
	defer r.recorded.mu.Unlock()
	if err := r.append(text.Bytes()); err == nil && r.recorded.size > maxTimeline {
		_ = r.cutTimeline()
	}
}

func shortened(words string) string {
	if len(words) <= maxMomentText {
		return words
	}
	return strings.ToValidUTF8(words[:maxMomentText], "") + " …"
}

// append writes lines behind those that are there. recorded.mu is held.
func (r *Run) append(lines []byte) error {
	f, err := os.OpenFile(r.Path(timelineFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if !r.recorded.known {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		r.recorded.known, r.recorded.size = true, info.Size()
		last := []byte{'\n'}
		if info.Size() > 0 {
			_, _ = f.ReadAt(last, info.Size()-1)
		}
		if last[0] != '\n' { // an earlier life was killed while it wrote
			lines = append([]byte{'\n'}, lines...)
		}
	}
	n, err := f.Write(lines)
	r.recorded.size += int64(n)
	return err
}

// cutTimeline leaves the first and the last quarter of what a timeline may have. recorded.mu is held.
func (r *Run) cutTimeline() error {
	text, err := os.ReadFile(r.Path(timelineFile))
	if err != nil {
		return err
	}
	var kept []byte
	rest := text
	for {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole || len(kept)+len(line) >= maxTimeline/4 || bytes.Contains(line, []byte(`"kind":"cut"`)) {
			break
		}
		kept, rest = append(append(kept, line...), '\n'), after
	}
	cut, err := json.Marshal(Moment{Time: time.Now(), Kind: KindCut, Text: fmt.Sprintf("moments are left out here: this file has at most %d bytes", maxTimeline)})
	if err != nil {
		return err
	}
	kept = append(append(kept, cut...), '\n')
	if from := len(rest) - maxTimeline/4; from > 0 {
		_, rest, _ = bytes.Cut(rest[from:], []byte{'\n'})
	}
	kept = append(kept, rest...)
	if err := os.WriteFile(r.Path(timelineFile+".new"), kept, 0o600); err != nil {
		return err
	}
	r.recorded.size = int64(len(kept))
	return os.Rename(r.Path(timelineFile+".new"), r.Path(timelineFile))
}
