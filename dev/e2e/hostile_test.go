package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

var onlyHostile = flag.String("hostile.only", "", "a regular expression: cases of which files and names are sent (events/values.yaml/values-tab)")

// Everything in testdata/hostile is sent to the real binary, many at a time, beside a tenant who must not notice. Then the results
// are checked.
func TestNothingHostileDoesAnyHarm(t *testing.T) {
	t.Parallel()
	all, err := readHostile()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 300 {
		t.Errorf("there are %d cases", len(all))
	}
	t.Cleanup(func() { checkTally(t, all) }) // after all cases were judged
	only := regexp.MustCompile(*onlyHostile)
	for _, generation := range []devcontroller.Generation{devcontroller.G1, devcontroller.G3, devcontroller.G4} {
		of := slices.DeleteFunc(slices.Clone(all), func(c *hostileCase) bool { return c.Generation != generation || !only.MatchString(c.file()+"/"+c.Name) })
		if len(of) > 0 {
			t.Run(string(generation), func(t *testing.T) { newHostileWorld(t, generation).run(of) })
		}
	}
}

// checkTally compares the number of cases of each kind with tally.txt, which is for readers, and prints it.
func checkTally(t *testing.T, all []*hostileCase) {
	counts := map[string]map[string]int{}
	for _, c := range all {
		for _, group := range []string{c.group, "all"} {
			if counts[group] == nil {
				counts[group] = map[string]int{}
			}
			counts[group][c.Must]++
			counts[group]["all"]++
		}
	}
	var text strings.Builder
	for _, group := range []string{"events", "charts", "repositories", "all"} {
		fmt.Fprintf(&text, "%-12s %4d:", group, counts[group]["all"])
		for _, outcome := range []string{"refused", "fails", "deploys", "ends", "vanishes"} {
			fmt.Fprintf(&text, " %d %s,", counts[group][outcome], hostileOutcomes[outcome])
		}
		fmt.Fprintf(&text, " harmful: 0\n")
	}
	if !t.Failed() {
		fmt.Print(text.String())
	}
	file := filepath.Join(hostileDir, "tally.txt")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s tells something else (-update writes it): %s", file, diff)
	}
}

func (h *hostileWorld) run(cases []*hostileCase) {
	h.start()
	for _, pool := range []devcontroller.Pool{h.victims, h.mallorys, h.neighbours} {
		h.pool = pool
		h.deployPool()
	}
	h.deployVictim()
	h.waitUntilSettled()
	before := h.belongings()
	stop := h.watch(hostilePlanted)

	last := h.controller.LastSeq()
	h.send(cases)
	h.checkNeighbours(cases, last)
	h.await(cases)
	h.waitUntilSettled()
	seen := stop()

	for _, c := range cases {
		h.Run(c.group+"/"+c.topic+"/"+c.Name, func(t *testing.T) { h.judge(t, c) })
	}
	h.Run("the victim's objects", func(t *testing.T) {
		if diff := cmp.Diff(before, h.belongings()); diff != "" {
			t.Errorf("they are not what they were: %s", diff)
		}
		h.deployVictim() // before any hostile event
	})
	h.Run("objects elsewhere", func(t *testing.T) {
		for _, object := range h.strangers(h.elsewhere) {
			if object != "rolebinding.rbac.authorization.k8s.io/hostile-operator-role" {
				t.Errorf("there is %s", object)
			}
		}
	})
	h.Run("secrets", func(t *testing.T) { h.checkSecrets(t) })
	h.Run("files", func(t *testing.T) { h.checkFiles(t) })
	h.Run("log", func(t *testing.T) { h.checkLog(t) })
	h.Run("memory", func(t *testing.T) { h.checkMemory(t, seen) })
	h.Run("hosts", func(t *testing.T) {
		for _, request := range h.internal.seen() {
			t.Errorf("an internal service was asked: %s", request)
		}
		for _, request := range h.thief.seen() {
			if strings.Contains(request, "Authorization") {
				t.Errorf("credentials were sent to another host: %s", request)
			}
		}
	})
	h.Run("connection", func(t *testing.T) {
		if n := len(h.controller.Connections()); n != 1 {
			t.Errorf("the operator has connected %d times", n)
		}
	})
}

// reports are the reports about a case so far.
func (h *hostileWorld) reports(c *hostileCase) (found []status) {
	calls := h.controller.Calls()
	for _, call := range calls[h.read:] {
		var s status
		if strings.HasSuffix(call.Method, "StatusAsync") && json.Unmarshal(call.Args[0], &s) == nil {
			h.byName[s.WorkloadName] = append(h.byName[s.WorkloadName], s)
			h.byID[s.WorkloadRtID] = append(h.byID[s.WorkloadRtID], s)
		}
	}
	h.read = len(calls)
	if named := h.byName[c.Name]; len(named) > 0 {
		return named
	}
	return h.byID[c.rtID()]
}

// await waits until all cases have ended, as long as one ends now and then.
func (h *hostileWorld) await(cases []*hostileCase) {
	h.Helper()
	open := slices.DeleteFunc(slices.Clone(cases), func(c *hostileCase) bool { return c.Must == "vanishes" })
	for len(open) > 0 {
		before := len(open)
		someEnd := func() bool {
			open = slices.DeleteFunc(open, h.ended)
			return len(open) < before
		}
		if !h.eventually(someEnd) {
			break
		}
	}
	for _, c := range open {
		h.Errorf("%s: %s: nobody is told how it ended", c.file(), c.Name)
	}
}

func (h *hostileWorld) ended(c *hostileCase) bool {
	if c.reported() {
		return len(h.reports(c)) > 0
	}
	return len(h.told(c)) > 0
}

// told are the log records that say how a case ended.
func (h *hostileWorld) told(c *hostileCase) (found []string) {
	says := regexp.MustCompile(h.placesOf(c).fill(c.Says))
	for _, line := range h.endsSoFar() {
		done := strings.Contains(line, `"msg":"event done"`)
		if (c.Must == "ends") == done && says.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

// endsSoFar are the log records about the end of events. Each is read once, because there are megabytes of log, and hundreds of cases
// ask.
func (h *hostileWorld) endsSoFar() []string {
	news := h.operator.textFrom(h.readOfLog)
	news = news[:strings.LastIndexByte(news, '\n')+1]
	for line := range strings.Lines(news) {
		if endOfEvent.MatchString(line) {
			h.ends = append(h.ends, line)
		}
	}
	h.readOfLog += len(news)
	return h.ends
}

var endOfEvent = regexp.MustCompile(`"msg":"(event (done|failed|refused|ignored|superseded)|callback ignored|frame ignored)`)

// begun matches commands that change something in the cluster.
var begun = regexp.MustCompile(`helm (upgrade|uninstall|rollback)|kubectl (apply|replace|patch|delete|scale) .*(secret\.yaml|pool\.yaml|--replicas|-p )`)

// judge checks how a case ended.
func (h *hostileWorld) judge(t *testing.T, c *hostileCase) {
	if !c.reported() {
		return // await has checked the record already
	}
	reports := h.reports(c)
	if len(reports) == 0 {
		t.Fatal("nobody is told how it ended")
	}
	s := reports[len(reports)-1]
	if s.Success != (c.Must == "deploys") {
		t.Errorf("it %s, which it must not: %.500q", map[bool]string{true: "was deployed", false: "failed"}[s.Success], s.StatusMessage)
	}
	if says := regexp.MustCompile(`(?is)` + h.placesOf(c).fill(c.Says)); !says.MatchString(s.StatusMessage) {
		t.Errorf("its status is %.500q, which does not match %q", s.StatusMessage, says)
	}
	if at := strings.IndexFunc(s.StatusMessage, func(r rune) bool { return r != '\n' && obeyed(r) }); at >= 0 || len(s.StatusMessage) > 4<<10 {
		t.Errorf("its status has %d bytes, or a character that a terminal obeys: %.500q", len(s.StatusMessage), s.StatusMessage[max(0, at-100):])
	}
	if c.Must != "refused" {
		return
	}
	for line := range strings.Lines(h.operator.text()) {
		if strings.Contains(line, `"msg":"command"`) && strings.Contains(line, c.rtID()) && begun.MatchString(line) {
			t.Errorf("it was begun: %.500s", line)
		}
	}
}
