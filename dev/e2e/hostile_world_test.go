package e2e

import (
	"encoding/base64"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// hostileWorld is a world with an attacker.
type hostileWorld struct {
	*world
	generation devcontroller.Generation
	server     *hostileServer
	internal   *trap // an internal service of the node
	thief      *trap // a host of the attacker
	outside    string
	api        string // address of the API server
	elsewhere  string // a namespace that does not belong to the operator
	victims    devcontroller.Pool
	mallorys   devcontroller.Pool
	neighbours devcontroller.Pool

	read         int // number of calls that are in the two maps
	byName, byID map[string][]status
	readOfLog    int // number of bytes of the log that are in ends
	ends         []string
}

func newHostileWorld(t *testing.T, generation devcontroller.Generation) *hostileWorld {
	h := &hostileWorld{world: newWorld(t, generation), generation: generation, byName: map[string][]status{}, byID: map[string][]status{}}
	h.server = newHostileServer(t)
	h.internal, h.thief = newTrap(t, "127.0.0.2:0", plantedInternal), newTrap(t, "127.0.0.1:0", "nothing")
	h.outside, h.elsewhere = h.stateDir, h.namespace+"-elsewhere"
	h.stateDir = filepath.Join(h.outside, "state")
	for _, dir := range []string{"home", "tmp"} {
		h.must(os.Mkdir(filepath.Join(h.outside, dir), 0o700))
	}
	h.must(os.WriteFile(filepath.Join(h.outside, "file"), []byte(plantedFile), 0o600))
	h.kubectl("create", "namespace", h.elsewhere)
	h.Cleanup(func() { _ = osexec.Command("kubectl", "delete", "namespace", h.elsewhere, "--wait=false").Run() })
	h.api = strings.TrimSpace(h.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"))
	binary, err := normalBinary() // with the race detector it would take ten times the memory
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
		"HOME=" + filepath.Join(h.outside, "home"), "TMPDIR=" + filepath.Join(h.outside, "tmp"),
		"OPERATOR__HELM__TIMEOUT=15s", "OPERATOR__SCRIPTDEADLINE=40s", "OPERATOR__CONCURRENCY=4",
		"OPERATOR__MEMORYLIMIT=512Mi",                    // the limit of the official chart's pod
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.1", // and no other loopback address
	}
	h.inPod(h.account())
	h.judged = func(violation string) bool { return !repeatsWhatItWasTold.MatchString(violation) }
	return h
}

// repeatsWhatItWasTold: a report about an event with invalid ids can only repeat these.
var repeatsWhatItWasTold = regexp.MustCompile(`(workloadRtId|tenantId|poolName|workloadName) is `)

// account creates a service account with the chart's role, like the suite's own. It is another one, because requests of hostile charts
// that the role refuses must not count as a right that the role lacks. It returns the files that a pod has for it.
func (h *hostileWorld) account() (dir string) {
	h.kubectl("create", "serviceaccount", "hostile-operator")
	h.kubectl("create", "rolebinding", "hostile-operator-role", "--role=octo-suite-communication-operator", "--serviceaccount="+h.namespace+":hostile-operator")
	authority, err := base64.StdEncoding.DecodeString(h.kubectl("config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster.certificate-authority-data}"))
	h.must(err)
	dir = h.TempDir()
	for name, text := range map[string]string{"token": h.kubectl("create", "token", "hostile-operator"), "ca.crt": string(authority), "namespace": h.namespace} {
		h.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// inPod makes the operator find the API server and its account as in a pod, without a kubeconfig. It has limits, to protect the machine
// if the operator breaks its promises.
func (h *hostileWorld) inPod(account string) {
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	h.wrap = append(unshare, "sh", "-c", `ulimit -v 4000000 && ulimit -f 2000000 && mount -t tmpfs none /var/run && mkdir -p /var/run/secrets/kubernetes.io &&
		ln -s "$0" /var/run/secrets/kubernetes.io/serviceaccount && exec "$@"`, account)
	host, port, _ := strings.Cut(strings.TrimPrefix(h.api, "https://"), ":")
	h.env = append(h.env, "KUBECONFIG=", "KUBERNETES_SERVICE_HOST="+host, "KUBERNETES_SERVICE_PORT="+port)
}

// workloadIn returns a good workload of a pool.
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

// placesOf returns the values of the words in a case.
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

// checkNeighbours: the deploy of another tenant does not wait for the hostile events before it. There are always more of these than may
// run at a time, so one of them is behind it.
func (h *hostileWorld) checkNeighbours(cases []*hostileCase, after int) {
	h.Helper()
	app := h.workloadIn(h.neighbours, "Neighbour", "65d5c447b420da3fb1230002")
	app.ChartName, app.ChartVersion = "tiny", "1.0.0"
	for range 3 {
		if s := h.deploy(app); !s.Success {
			h.Errorf("another tenant's deploy failed: %s", s.StatusMessage)
		}
	}
	open, long := 0, 0
	for _, c := range cases {
		if c.Must == "deploys" {
			long++
		}
		if c.reported() && len(h.reports(c)) == 0 {
			open++
		}
	}
	if long > 50 && open == 0 { // these take a minute
		h.Errorf("another tenant's deploys were the last of all (after call %d)", after)
	}
}
