package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/devcontroller"
)

var onlyHostile = flag.String("hostile.only", "", "a regular expression: cases of which files and names are sent (events/values.yaml/values-tab)")

// Everything in testdata/hostile is sent to the real binary, many at a time, beside a tenant who must not notice. Then it is looked
// at what came of it.
func TestNothingHostileDoesAnyHarm(t *testing.T) {
	all, err := readHostile()
	if err != nil {
		t.Fatal(err)
	}
	only := regexp.MustCompile(*onlyHostile)
	t.Run("all", func(t *testing.T) {
		for _, generation := range []devcontroller.Generation{devcontroller.G1, devcontroller.G3, devcontroller.G4} {
			of := slices.DeleteFunc(slices.Clone(all), func(c *hostileCase) bool { return c.Generation != generation || !only.MatchString(c.file()+"/"+c.Name) })
			if len(of) == 0 {
				continue
			}
			t.Run(string(generation), func(t *testing.T) { newHostileWorld(t, generation).run(of) })
		}
	})
	if len(all) < 300 {
		t.Errorf("there are %d cases", len(all))
	}
	checkTally(t, all)
}

// checkTally compares how many cases there are of each kind with what a reader is told, and prints it.
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

// hostileWorld is a world in which somebody means harm.
type hostileWorld struct {
	*world
	generation devcontroller.Generation
	server     *hostileServer
	internal   *trap // an internal service of the node
	thief      *trap // somebody else's host
	outside    string
	api        string // the API server
	elsewhere  string // a namespace that is none of the operator's
	victims    devcontroller.Pool
	mallorys   devcontroller.Pool
	neighbours devcontroller.Pool

	read         int // so many calls are in the two maps
	byName, byID map[string][]status
}

func newHostileWorld(t *testing.T, generation devcontroller.Generation) *hostileWorld {
	h := &hostileWorld{world: newWorld(t, generation), generation: generation, byName: map[string][]status{}, byID: map[string][]status{}}
	h.server = newHostileServer(t)
	h.internal, h.thief = newTrap(t, "127.0.0.2:0"), newTrap(t, "127.0.0.1:0")
	h.outside, h.elsewhere = h.stateDir, h.namespace+"-elsewhere"
	h.stateDir = filepath.Join(h.outside, "state")
	for _, dir := range []string{"home", "tmp"} {
		h.must(os.Mkdir(filepath.Join(h.outside, dir), 0o700))
	}
	h.must(os.WriteFile(filepath.Join(h.outside, "file"), []byte(plantedFile), 0o600))
	h.kubectl("create", "namespace", h.elsewhere)
	h.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "namespace", h.elsewhere, "--wait=false").Run() })
	h.api = strings.TrimSpace(h.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"))
	binary, err := normalBinary() // the race detector takes ten times the memory
	h.must(err)
	h.program = binary
	id := func(n string) string {
		if generation == devcontroller.G1 {
			return "pool-" + n
		}
		return "65d5c447b420da3fb12300" + n
	}
	h.victims, h.mallorys, h.neighbours = devcontroller.Pool{TenantID: victimTenant, ID: id("a1")},
		devcontroller.Pool{TenantID: "mallory", ID: id("b1")}, devcontroller.Pool{TenantID: "neighbour", ID: id("c1")}
	h.env = []string{
		"KUBECONFIG=" + h.account(), "HOME=" + filepath.Join(h.outside, "home"), "TMPDIR=" + filepath.Join(h.outside, "tmp"),
		"OPERATOR__HELM__TIMEOUT=15s", "OPERATOR__SCRIPTDEADLINE=40s", "OPERATOR__CONCURRENCY=4",
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1", // not all that are loopback
	}
	// For a machine on which the operator does not keep its promises.
	h.wrap = []string{"sh", "-c", `ulimit -v 4000000 && ulimit -f 2000000 && exec "$@"`, "sh"}
	h.judged = func(violation string) bool { return !repeatsWhatItWasTold.MatchString(violation) }
	return h
}

// repeatsWhatItWasTold: a report about an event whose ids are none cannot have better ones.
var repeatsWhatItWasTold = regexp.MustCompile(`(workloadRtId|tenantId|poolName|workloadName) is `)

// account is a service account with the chart's role, as the suite's own is. What a hostile chart asks for and the role refuses
// must not count as a right that the role lacks.
func (h *hostileWorld) account() (kubeconfig string) {
	h.kubectl("create", "serviceaccount", "hostile-operator")
	h.kubectl("create", "rolebinding", "hostile-operator-role", "--role=octo-suite-communication-operator", "--serviceaccount="+h.namespace+":hostile-operator")
	file := filepath.Join(h.TempDir(), "kubeconfig")
	h.must(writeKubeconfig(file, h.namespace, "hostile-operator"))
	return file
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
		h.deployVictim() // nothing is in its way
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

// workloadOf is a good workload of a tenant.
func (h *hostileWorld) workloadIn(pool devcontroller.Pool, name, rtID string) devcontroller.Workload {
	app := h.workload(name, rtID)
	app.Pool = pool
	return app
}

func (h *hostileWorld) deployVictim() {
	h.Helper()
	app := h.workloadIn(h.victims, victim.Name, victim.RtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: plantedVictim, IsSecret: true}}
	if s := h.deploy(app); !s.Success {
		h.Fatalf("the victim's workload cannot be deployed: %s", s.StatusMessage)
	}
}

// placesOf are what a case's words mean.
func (h *hostileWorld) placesOf(c *hostileCase) places {
	host := strings.TrimPrefix(h.server.URL, "http://")
	return places{
		"REPO": h.server.URL + "/" + c.Name, "OCI": "oci://" + host + "/" + c.Name, "HOST": host, "CHARTS": openCharts.URL,
		"NAME": c.Name, "RTID": c.rtID(), "POOL": h.mallorys.ID, "RELEASE": "mallory-" + c.rtID(), "NAMESPACE": h.namespace,
		"VICTIM_RTID": victim.RtID, "VICTIM_POOL": h.victims.ID, "VICTIM_RELEASE": victimRelease(h.generation),
		"VICTIM_BROKER": victimTenant + "-" + h.victims.ID + "-octo-mesh-connection", "MALLORY_BROKER": "mallory-" + h.mallorys.ID + "-octo-mesh-connection",
		"ELSEWHERE": h.elsewhere, "CANARY": filepath.Join(h.outside, "hostile-canary"), "FILE": filepath.Join(h.outside, "file"), "OUTSIDE": h.outside,
		"INTERNAL": h.internal.URL, "THIEF": strings.Replace(h.thief.URL, "127.0.0.1", "localhost", 1), "SECRET": plantedTenant, "PASSWORD": plantedMallory,
		"API": h.api,
	}
}

// send sends all cases, one after the other, as fast as the operator takes them.
func (h *hostileWorld) send(cases []*hostileCase) {
	h.Helper()
	connection, err := h.controller.WaitConnected(h.ctx, 1)
	h.must(err)
	for _, c := range cases {
		p := h.placesOf(c)
		h.must(h.server.serve(c, p))
		message, err := c.message(p)
		h.must(err)
		for range c.Times {
			h.must(h.controller.SendRaw(h.ctx, connection.ID, message))
		}
	}
}

// checkNeighbours: another tenant's deploy is not kept waiting by what has come before it. There are always more hostile ones than
// may run at a time, so one of them is behind it.
func (h *hostileWorld) checkNeighbours(cases []*hostileCase, after int) {
	h.Helper()
	app := h.workloadIn(h.neighbours, "Neighbour", "65d5c447b420da3fb1230002")
	app.ChartName, app.ChartVersion = "tiny", "1.0.0"
	for range 3 {
		if s := h.deploy(app); !s.Success {
			h.Errorf("another tenant's deploy failed: %s", s.StatusMessage)
		}
	}
	open := 0
	for _, c := range cases {
		if c.reported() && len(h.reports(c)) == 0 {
			open++
		}
	}
	if len(cases) > 50 && open == 0 {
		h.Errorf("another tenant's deploys were the last of all (after call %d)", after)
	}
}

// reports are those about a case so far.
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

// await waits until all cases have come to their end, for as long as one ends now and then.
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

// told are the records of the log that tell how a case ended.
func (h *hostileWorld) told(c *hostileCase) (found []string) {
	says := regexp.MustCompile(h.placesOf(c).fill(c.Says))
	for line := range strings.Lines(h.operator.text()) {
		done := strings.Contains(line, `"msg":"event done"`)
		if (c.Must == "ends") == done && endOfEvent.MatchString(line) && says.MatchString(line) {
			found = append(found, line)
		}
	}
	return found
}

var endOfEvent = regexp.MustCompile(`"msg":"(event (done|failed|refused|ignored|superseded)|callback ignored|frame ignored)`)

// begun are commands that change something in the cluster.
var begun = regexp.MustCompile(`helm (upgrade|uninstall|rollback)|kubectl (apply|replace|patch|delete|scale) .*(secret\.yaml|pool\.yaml|--replicas|-p )`)

// judge looks at how a case ended.
func (h *hostileWorld) judge(t *testing.T, c *hostileCase) {
	if !c.reported() {
		return // await has found what it must say
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
