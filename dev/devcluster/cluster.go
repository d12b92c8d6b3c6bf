package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed stages.yaml
var stages []byte

//go:embed audit.yaml
var auditPolicy []byte

const (
	// A cold start takes 5 s on 2 idle cores; a machine that runs a test suite
	// beside it has been seen at 40 s.
	startTimeout = 2 * time.Minute
	// What one component may take after SIGTERM. The API server takes 1.4 s and
	// more, for nothing: its data is thrown away.
	stopGrace = 500 * time.Millisecond
)

// cluster is a control plane on loopback with one fake node.
type cluster struct {
	dir        string
	kubeconfig string
	unlock     func()
	components []*component
}

// startCluster returns a cluster that is ready for use.
func startCluster(ctx context.Context, bin string) (*cluster, error) {
	removeStale()
	for attempt := 1; ; attempt++ {
		c, err := tryStart(ctx, bin)
		if err == nil {
			return c, nil
		}
		// Ports are probed, then used: two clusters that start at once can clash.
		if attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return nil, fmt.Errorf("cannot start the cluster: %w", err)
		}
		progress("a port was taken meanwhile, trying again")
	}
}

func tryStart(ctx context.Context, bin string) (*cluster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	dir, unlock, err := makeDir()
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig"), unlock: unlock}
	api, err := c.startAPI(ctx, bin)
	if err == nil {
		err = c.startRest(ctx, bin, api)
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	for _, component := range c.components {
		component.keepAlive()
	}
	return c, nil
}

// startAPI starts etcd and the API server and waits for it to say ready.
func (c *cluster) startAPI(ctx context.Context, bin string) (*apiClient, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	etcd, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	server := fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	ca, err := c.writeCredentials(server)
	if err != nil {
		return nil, fmt.Errorf("cannot write certificates: %w", err)
	}
	api, err := newAPIClient(ca, server)
	if err != nil {
		return nil, err
	}
	if err := c.start("etcd", filepath.Join(bin, "etcd"),
		"--data-dir="+filepath.Join(c.dir, "etcd"),
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--unsafe-no-fsync", // the data need not survive the machine, only a killed etcd
	); err != nil {
		return nil, err
	}
	auditFile := filepath.Join(c.dir, "audit.yaml")
	if err := os.WriteFile(auditFile, auditPolicy, 0o600); err != nil {
		return nil, err
	}
	if err := c.start("apiserver", filepath.Join(bin, "kube-apiserver"),
		"--etcd-servers="+etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]),
		"--endpoint-reconciler-type=none", // a loopback address is no valid endpoint, the log would be full of it
		// Loopback addresses: a test that listens there is a Service, as the API server sees it when it calls a webhook.
		"--service-cluster-ip-range=127.100.0.0/16",
		"--audit-policy-file="+auditFile, "--audit-log-path="+filepath.Join(c.dir, "audit.log"),
		"--tls-cert-file="+ca.file("apiserver.crt"), "--tls-private-key-file="+ca.file("apiserver.key"),
		"--client-ca-file="+ca.file("ca.crt"), "--authorization-mode=RBAC,Node",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+ca.file("serviceaccount.crt"),
		"--service-account-signing-key-file="+ca.file("serviceaccount.key"),
	); err != nil {
		return nil, err
	}
	return api, c.wait(ctx, "the API server", func() bool { return api.get(ctx, "/readyz", nil) == nil })
}

// startRest starts what makes objects move, and waits until pods can run.
func (c *cluster) startRest(ctx context.Context, bin string, api *apiClient) error {
	controllers := filepath.Join(c.dir, "controller-manager.kubeconfig")
	if err := c.start("controller-manager", filepath.Join(bin, "kube-controller-manager"),
		"--kubeconfig="+controllers, "--secure-port=0", "--leader-elect=false",
		"--use-service-account-credentials",
		"--kube-api-qps=500", "--kube-api-burst=1000", // with the default of 20 a second the start takes 5 s more
		"--root-ca-file="+filepath.Join(c.dir, "ca.crt"),
		"--service-account-private-key-file="+filepath.Join(c.dir, "serviceaccount.key"),
		// With the default of 50 s the node went stale whenever kwok was slow for
		// a minute; its pods turned not ready and helm waited for nothing.
		"--node-monitor-grace-period=1h",
	); err != nil {
		return err
	}
	if err := c.start("scheduler", filepath.Join(bin, "kube-scheduler"),
		"--kubeconfig="+filepath.Join(c.dir, "scheduler.kubeconfig"), "--secure-port=0", "--leader-elect=false",
	); err != nil {
		return err
	}
	stagesFile := filepath.Join(c.dir, "stages.yaml")
	if err := os.WriteFile(stagesFile, stages, 0o600); err != nil {
		return err
	}
	if err := c.start("kwok", filepath.Join(bin, "kwok"),
		"--kubeconfig="+c.kubeconfig, "--config="+stagesFile, "--manage-all-nodes", "--node-lease-duration-seconds=40",
	); err != nil {
		return err
	}
	if err := api.createNode(ctx, "devcluster-node"); err != nil {
		return fmt.Errorf("cannot create the node: %w", err)
	}
	if err := c.wait(ctx, "the node", func() bool { return api.nodeReady(ctx, "devcluster-node") }); err != nil {
		return err
	}
	return c.wait(ctx, "the default service account", func() bool {
		return api.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil) == nil
	})
}

func (c *cluster) start(name, path string, args ...string) error {
	component := &component{name: name, dir: c.dir, path: path, args: args}
	if err := component.start(); err != nil {
		return err
	}
	c.components = append(c.components, component)
	return nil
}

// wait polls ready until it is true, a component dies or ctx ends.
func (c *cluster) wait(ctx context.Context, what string, ready func() bool) error {
	for !ready() {
		for _, component := range c.components {
			select {
			case <-component.died:
				return fmt.Errorf("%s ended, the last lines of its log:\n%s", component.name, tail(component.file(".log")))
			default:
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			last := c.components[len(c.components)-1]
			return fmt.Errorf("%s is %w; the last lines of the log of %s:\n%s", what, context.Cause(ctx), last.name, tail(last.file(".log")))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// stop ends every process of the cluster and removes the folder.
func (c *cluster) stop() {
	// The last started first: an API server without etcd hangs.
	for _, component := range slices.Backward(c.components) {
		component.stop(stopGrace)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		progress("cannot remove %s: %v", c.dir, err)
	}
	c.unlock()
}

func (c *cluster) writeCredentials(server string) (*authority, error) {
	ca, err := newAuthority(c.dir)
	if err != nil {
		return nil, err
	}
	return ca, errors.Join(
		ca.writeServer("apiserver"),
		ca.writeServer("serviceaccount"), // only its key pair is used, to sign tokens
		ca.writeKubeconfig(c.kubeconfig, server, "admin", "system:masters"),
		ca.writeKubeconfig(filepath.Join(c.dir, "controller-manager.kubeconfig"), server, "system:kube-controller-manager", ""),
		ca.writeKubeconfig(filepath.Join(c.dir, "scheduler.kubeconfig"), server, "system:kube-scheduler", ""),
	)
}

const dirPrefix = "devcluster-run-"

// makeDir makes the folder of a cluster and holds its lock for as long as we live.
func makeDir() (dir string, unlock func(), err error) {
	dir, err = os.MkdirTemp("", dirPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("cannot make a folder for the cluster: %w", err)
	}
	unlock, err = tryLock(filepath.Join(dir, ".lock"))
	return dir, unlock, err
}

// removeStale removes the folders of clusters whose devcluster was killed: their
// processes died with it, but nobody was left to remove the files.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Stat(filepath.Join(dir, ".lock"))
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // being made right now, or not ours to touch
		}
		// A held lock means a living cluster.
		if unlock, err := tryLock(filepath.Join(dir, ".lock")); err == nil {
			os.RemoveAll(dir)
			unlock()
		}
	}
}

// freePorts picks below the range of outgoing connections (32768 and up): there
// such a connection could take the port while a killed component restarts.
func freePorts(n int) ([]int, error) {
	var ports []int
	for try := 0; try < 200 && len(ports) < n; try++ {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are found, so that none comes twice
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, errors.New("cannot find free ports on 127.0.0.1 between 20000 and 32000")
	}
	return ports, nil
}

// tail returns the last 20 lines of a log.
func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
