package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const targetFirstCommand = 10 // ms from the event to the first command of a deploy, whose chart has a fixed version and is cached

var picture = flag.String("picture", "", "benchmarks: file for a picture of how deploys went, as SVG")

// part is a part of a deploy: a process, or what the operator does or waits for between processes.
type part struct {
	name    string
	process bool
	from    time.Duration // from the event on
	to      time.Duration
}

func (s part) took() time.Duration { return s.to - s.from }

// course is the sequence of a deploy's parts.
type course []part

func (c course) took() time.Duration { return c[len(c)-1].to }

// BenchmarkCourse finds out by the operator's records where the time of a deploy goes, and draws it.
func BenchmarkCourse(b *testing.B) {
	results := &table{}
	r := newRigFrom(b, newRepositoryOf(b, versionsIn3MB).URL, "OPERATOR__LOGFORMAT=json")
	app := r.newWorkload("red")
	kinds := []struct {
		name   string
		deploy func(i int)
	}{
		{"a new release, chart at hand", func(int) { r.deploy(r.newWorkload("red")) }},
		{"a redeploy that replaces no pod", func(i int) { app.ValuesYaml = valuesYaml("red") + shade(i); r.deploy(app) }},
		{"a redeploy that replaces two pods", func(i int) {
			more, colour := twoPods(i)
			app.ValuesYaml = valuesYaml(colour) + more
			r.deploy(app)
		}},
	}
	var drawn []course
	var names []string
	for _, kind := range kinds {
		kind.deploy(-1)
		var all []course
		var first []float64
		for i := range *pairs {
			kind.deploy(i)
			c := r.lastCourse()
			all = append(all, c)
			first = append(first, milliseconds(c[0].took()))
		}
		slices.SortFunc(all, func(a, b course) int { return int(a.took() - b.took()) })
		usual := all[len(all)/2]
		names, drawn = append(names, kind.name), append(drawn, usual)
		results.single(b, "event to first command: "+kind.name, "ms", first, targetFirstCommand)
		for _, s := range usual {
			results.note("%-36s %-44s %6.1f ms", kind.name, s.name, milliseconds(s.took()))
		}
	}
	results.print(os.Stdout)
	if *picture != "" {
		r.must(os.WriteFile(*picture, []byte(drawCourses(names, drawn)), 0o644))
	}
}

// lastCourse reads the newest deploy's course from the log, which is JSON.
func (r *rig) lastCourse() course {
	r.Helper()
	r.waitForRecords(`"event done"`, strings.Count(r.operator.text(), `"event received"`))
	type record struct {
		Time          time.Time
		Msg, Run, Cmd string
	}
	var all []record
	for line := range strings.Lines(r.operator.text()) {
		var one record
		r.must(json.Unmarshal([]byte(line), &one))
		if one.Msg == "event received" {
			all = nil
		}
		if one.Run != "" && (all == nil && one.Msg == "event received" || len(all) > 0 && one.Run == all[0].Run) {
			all = append(all, one)
		}
	}
	var c course
	for i, one := range all[:len(all)-1] {
		s := part{from: one.Time.Sub(all[0].Time), to: all[i+1].Time.Sub(all[0].Time)}
		switch one.Msg {
		case "event received":
			s.name = "the operator: event to disk, chart, look-ups, values"
		case "command":
			s.name, s.process = shortCommand(one.Cmd), true
		case "waiting until the release is ready":
			s.name = "the pods are ready"
		case "status reported":
			s.name = "result to disk"
		default: // it belongs to the part before it
			c[len(c)-1].to = s.to
			continue
		}
		c = append(c, s)
	}
	return c
}

// shortCommand is a command without the objects that it works on.
func shortCommand(command string) string {
	words := strings.Fields(command)
	words = slices.DeleteFunc(words, func(word string) bool { return strings.HasPrefix(word, "KUBECONFIG=") })
	short := strings.Join(words[:2], " ")
	switch {
	case strings.Contains(command, "/secret.yaml"):
		return short + " secret.yaml"
	case strings.Contains(command, "--dry-run=server"):
		return short + " --dry-run=server"
	}
	return short
}

// drawCourses draws deploys one below the other: a bar for each step, on one axis of time.
func drawCourses(names []string, courses []course) string {
	const (
		left, width, right = 20, 560, 330
		bar, gap, title    = 18, 6, 40
	)
	longest := time.Duration(0)
	for _, c := range courses {
		longest = max(longest, c.took())
	}
	tick := 100 * time.Millisecond
	for longest/tick > 8 {
		tick *= 2
	}
	x := func(d time.Duration) float64 { return left + width*float64(d)/float64(longest) }
	var body strings.Builder
	y := 10
	for i, c := range courses {
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="title">%s: %.0f ms</text>`+"\n", left, y+24, names[i], milliseconds(c.took()))
		y += title
		bottom := y + len(c)*(bar+gap)
		for at := time.Duration(0); at <= longest; at += tick {
			fmt.Fprintf(&body, `<line x1="%.1[1]f" x2="%.1[1]f" y1="%[2]d" y2="%[3]d" class="tick"/><text x="%.1[1]f" y="%[4]d" class="tick">%[5]d ms</text>`+"\n",
				x(at), y-4, bottom, bottom+12, at.Milliseconds())
		}
		for _, s := range c {
			class := "own"
			if s.process {
				class = "process"
			}
			fmt.Fprintf(&body, `<rect x="%.1f" y="%d" width="%.1f" height="%d" class="%s"/><text x="%.1f" y="%d">%s, %.0f ms</text>`+"\n",
				x(s.from), y, max(1, x(s.to)-x(s.from)), bar, class, x(s.to)+5, y+13, s.name, milliseconds(s.took()))
			y += bar + gap
		}
		y += 26
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d">
<style>
text { font: 12px sans-serif; fill: #222 } text.title { font-weight: bold; font-size: 14px } text.tick { fill: #777; font-size: 10px; text-anchor: middle }
line.tick { stroke: #ddd } rect.process { fill: #2f6fb0 } rect.own { fill: #e0a030 } rect.paper { fill: #fff }
</style>
<rect class="paper" width="%[1]d" height="%[2]d"/>
%[3]s</svg>
`, left+width+right, y, body.String())
}
