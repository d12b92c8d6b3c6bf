package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// inject breaks one thing. A part that is away comes back by itself, so that others break meanwhile; a fault of the same part waits for
// that.
func (c *chaos) inject(f fault) {
	c.findLeader()
	switch f.Kind {
	case killed:
		c.killLife(c.current)
		c.current = c.startLife(c.current.state)
	case killedTwice:
		c.killLife(c.current)
		c.current = c.startLife(c.current.state)
		time.Sleep(f.For)
		c.killLife(c.current)
		c.current = c.startLife(c.current.state)
	case nodeDied:
		dead := c.current
		c.current = nil
		c.killNode(dead)
		c.noteWhatWasNotCopied(dead.state)
		c.current = c.startLife(c.newState())
		c.send(f.Events)
		time.Sleep(f.For)
	case terminated:
		c.endLife(c.current)
		c.current = c.startLife(c.current.state)
	case replaced:
		c.waitForAPI() // Kubernetes needs it to replace a pod
		c.endLife(c.current)
		c.current = c.startLife(c.newState())
	case rolled:
		c.roll(f)
	case cutOff:
		c.cutOff(f)
	case helmKilled:
		c.killHelm()
	case dropped:
		c.controller.DropConnections()
	case restarted:
		c.away.controller.Wait()
		c.restartController(f.For)
	case warmingUp:
		c.reject(f.For)
		c.restartController(0)
		c.send(f.Events)
	case rejecting:
		c.reject(f.For)
		c.send(f.Events)
	case refusing, unavailable, slow:
		c.repository.fail(&c.away.repository, f)
		c.send(f.Events)
	case apiKilled:
		c.away.api.Wait()
		c.must(killComponent("apiserver"))
		c.away.api.Go(c.wakeClients)
	case etcdKilled:
		c.must(killComponent("etcd"))
	case apiAway:
		c.takeAPIAway(f.For)
	default:
		c.Fatalf("no such fault: %s", f.Kind)
	}
}

// roll replaces the operator as a Deployment does: a new one is a standby before the first is told to end.
func (c *chaos) roll(f fault) {
	c.waitForAPI()
	first := c.current
	c.current = nil
	next := c.startLife(c.newState())
	c.waitUntil("the new operator stands by", patience, func() bool {
		log, err := os.ReadFile(next.log)
		return err == nil && bytes.Contains(log, []byte("state directory opened"))
	})
	c.current = first
	c.send(f.Events)
	time.Sleep(f.For)
	first = c.current // it may have been started again
	c.current = next
	c.endLife(first)
}

// cutOff cuts the leader off from the API server, but not from the controller. If that takes long, the other operator becomes the leader.
func (c *chaos) cutOff(f fault) {
	c.waitForAPI()
	leader := c.current
	leader.api.setCut(true)
	healed := time.Now().Add(f.For)
	c.send(f.Events)
	time.Sleep(time.Until(healed))
	leader.api.setCut(false)
	leader.cut = time.Now()
}

// killHelm kills the first helm that it sees.
func (c *chaos) killHelm() {
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, p := range processesBelow(c.T, c.current.state) {
			run := runOfScript.FindSubmatch(p.environ)
			if bytes.HasPrefix(p.cmdline, []byte("helm\x00")) && run != nil && syscall.Kill(p.pid, syscall.SIGKILL) == nil {
				c.helmVictims[string(run[1])] = true
				return
			}
		}
	}
	c.missed++
}

// runOfScript matches the run directory in a process's environment.
var runOfScript = regexp.MustCompile(`\x00OCTO_RUN=([^\x00]+)`)

// rejected are the methods that a controller rejects while it warms up.
var rejected = []string{
	"RegisterPoolAsync", "ReportDeployedStateAsync", "ReportWorkloadDeploymentStatusAsync", "ReportWorkloadScaleStatusAsync",
	"ReportWorkloadDeploymentProgressAsync",
}

func (c *chaos) reject(length time.Duration) {
	c.away.controller.Wait()
	for _, method := range rejected {
		c.controller.FailNext(method, -1, "The controller is still warming up.")
	}
	c.away.controller.Go(func() {
		time.Sleep(length)
		for _, method := range rejected {
			c.controller.FailNext(method, 0, "")
		}
	})
}

func (c *chaos) restartController(after time.Duration) {
	address := c.controller.Addr()
	c.must(c.controller.Close())
	c.away.controller.Go(func() {
		time.Sleep(after)
		for c.controller.Start(address) != nil { // a client of the API server may be using the port for a moment
			time.Sleep(50 * time.Millisecond)
		}
	})
}

func (c *chaos) takeAPIAway(length time.Duration) {
	c.away.api.Wait()
	hold := filepath.Join(os.Getenv("OCTO_CLUSTER_DIR"), "apiserver.hold")
	c.must(os.WriteFile(hold, nil, 0o600))
	c.must(killComponent("apiserver"))
	c.away.api.Go(func() {
		time.Sleep(length)
		_ = os.Remove(hold)
		c.wakeClients()
	})
}

// wakeClients restarts the clients of the API server as soon as that answers. Otherwise no pod would become ready for up to a minute,
// because after some outages they try again so rarely.
func (c *chaos) wakeClients() {
	for _, err := c.copies(); err != nil; _, err = c.copies() {
		if c.ctx.Err() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, name := range []string{"kwok", "controller-manager", "scheduler"} {
		if err := killComponent(name); err != nil {
			c.Error(err)
		}
	}
	// A new kwok waits until the node's Lease of the old one expires: 40 s. This may fail if etcd has just been killed.
	_ = osexec.Command("kubectl", "delete", "leases", "--all", "--namespace", "kube-node-lease").Run()
}

// killComponent kills a part of the control plane, which devcluster starts again after a second.
func killComponent(name string) error {
	text, err := os.ReadFile(filepath.Join(os.Getenv("OCTO_CLUSTER_DIR"), name+".pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	// It may be down already, and its process id used by another process.
	if cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")); err == nil && bytes.Contains(cmdline, []byte(name)) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}

// journalLabel is on the Secrets with copies of unfinished events.
const journalLabel = "octo-mesh.meshmakers.io/journal"

// copies are the names of the copies in the cluster, which begin with the name of a run directory.
func (c *chaos) copies() (names []string, err error) {
	out, err := osexec.Command("kubectl", "get", "secrets", "--namespace", c.namespace, "--selector", journalLabel, "--output", "json").Output()
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []struct{ Data map[string]string }
	}
	err = json.Unmarshal(out, &list)
	for _, item := range list.Items {
		for name := range item.Data {
			names = append(names, name)
		}
	}
	return names, err
}

// noteWhatWasNotCopied finds the events that are lost with their node, because they came in its last moments. The operator is dead, so no
// copy is written any more. An event that has begun must have been copied before.
func (c *chaos) noteWhatWasNotCopied(state string) {
	died := time.Now()
	copies := c.waitForAPI()
	for _, r := range c.recordsIn(state) {
		if r.outcome == "" && !r.begun && !hasPrefix(copies, r.id) {
			c.notCopied[r.id] = died.Sub(r.came())
		}
	}
}

// waitForAPI returns when the API server answers.
func (c *chaos) waitForAPI() (copies []string) {
	c.away.api.Wait()
	c.waitUntil("the API server answers", patience, func() (ok bool) {
		var err error
		copies, err = c.copies()
		return err == nil
	})
	return copies
}

func hasPrefix(names []string, prefix string) bool {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
