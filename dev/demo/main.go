// Demo shows the operator's main job end to end, as a story: a simulated controller, the real operator, the real helm and kubectl, a real
// API server. Every step is checked. It leaves nothing behind, even if it fails or is stopped.
//
// Run it with make demo. OCTO_GENERATION=G1 simulates a controller of that generation (G3 if not set). With make demo STAY=1 it does not
// undeploy at its end: it breaks some deploys, and lets the user look around.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"octo-operator/dev/devcontroller"
)

// patience bounds the whole story. It takes half a minute; a busy machine may need more.
const patience = 3 * time.Minute

// The kernel kills our children when the thread that started them ends (Pdeathsig): that must be the one thread that
// lives as long as the demo.
func init() { runtime.LockOSThread() }

func main() {
	// SIGPIPE: without it, make demo | head would end the demo before it has cleaned up. Signals stay caught to the
	// end, so that a second Ctrl-C does not cut the cleaning short.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	if !stays() {
		limited, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done after %s", patience))
		defer cancel()
		ctx = limited
	}
	if err := tell(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// tell tells the story and cleans up after it, even if it has failed.
func tell(ctx context.Context) error {
	started := time.Now()
	d := &demo{}
	d.ctx, d.stop = context.WithCancelCause(ctx)
	err := d.prepare()
	if err == nil {
		d.introduce()
		err = d.play()
	}
	if d.ctx.Err() != nil { // the step only knows that it was interrupted
		err = errors.Join(fmt.Errorf("stopped: %w", context.Cause(d.ctx)), err)
	}
	if err != nil && d.operator != nil && !errors.Is(ctx.Err(), context.Canceled) { // after Ctrl-C the user knows why
		d.operator.printEnd()
	}
	if err = errors.Join(err, d.cleanUp()); err == nil {
		fmt.Printf("\nEvery step went as expected. It took %.0f s.\n", time.Since(started).Seconds())
	}
	return err
}

// demo is the state that the steps share.
type demo struct {
	ctx        context.Context
	stop       context.CancelCauseFunc // ends the story, with a reason
	name       string                  // of the namespace, which holds everything in the cluster
	dir        string                  // holds everything on disk
	ownCluster bool                    // the cluster is the user's, which cannot pull the image of the demo's chart
	generation devcontroller.Generation
	charts     string // URL of the chart repository
	page       string // URL of the operator's status page, if the demo stays
	controller *devcontroller.Server
	operator   *operator

	pool         devcontroller.Pool
	shop, broken devcontroller.Workload
	shopRun      *run

	cleaning []cleaning // done from the last to the first
}

type cleaning struct {
	done string // the line to print afterwards
	do   func() error
}

func (d *demo) onCleanUp(done string, do func() error) {
	d.cleaning = append(d.cleaning, cleaning{done, do})
}

// cleanUp continues after an error, so that the rest is removed too.
func (d *demo) cleanUp() error {
	if len(d.cleaning) > 0 {
		heading("Clean up")
	}
	var errs []error
	for len(d.cleaning) > 0 {
		last := d.cleaning[len(d.cleaning)-1]
		d.cleaning = d.cleaning[:len(d.cleaning)-1]
		if err := last.do(); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Println("   " + last.done)
	}
	return errors.Join(errs...)
}

// prepare starts what the story needs besides the operator.
func (d *demo) prepare() (err error) {
	if os.Getenv("OCTO_DEVCLUSTER") == "" || os.Getenv("KUBECONFIG") == "" {
		return errors.New("cannot run the demo: it needs a cluster and tools, start it with: make demo")
	}
	d.ownCluster = os.Getenv("OCTO_CLUSTER_DIR") == ""
	if d.generation, err = devcontroller.ParseGeneration(cmp.Or(os.Getenv("OCTO_GENERATION"), "G3")); err != nil {
		return fmt.Errorf("cannot use OCTO_GENERATION: %w", err)
	}
	d.name = "octo-demo-" + strings.ToLower(rand.Text()[:4]) // short: it is a part of every path
	d.dir = filepath.Join(os.TempDir(), d.name)
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make a directory: %w", err)
	}
	d.onCleanUp("removed the directory "+d.dir, func() error { return os.RemoveAll(d.dir) })

	if err := d.prepareCluster(); err != nil {
		return fmt.Errorf("cannot prepare the cluster: %w", err)
	}
	if err := d.serveCharts(); err != nil {
		return fmt.Errorf("cannot serve the charts: %w", err)
	}
	d.controller = devcontroller.New(devcontroller.Options{Generation: d.generation})
	if err := d.controller.Start("127.0.0.1:0"); err != nil {
		return fmt.Errorf("cannot start the simulated controller: %w", err)
	}
	d.onCleanUp("stopped the simulated controller", d.controller.Close)
	d.planWorkloads()
	return nil
}

func (d *demo) introduce() {
	cluster := "a real control plane on this machine: etcd, API server, controllers, scheduler; pods by kwok"
	if d.ownCluster {
		cluster = "yours, by KUBECONFIG. It cannot pull the demo's image: Shop is deployed with replicaCount 0"
	}
	fmt.Println(colour(bold, "octo-operator: what a controller asks for, helm and kubectl do"))
	fmt.Println()
	field("cluster", cluster)
	field("namespace", d.name+", made for this demo")
	field("controller", fmt.Sprintf("simulated, generation %s, at %s", d.generation, d.controller.URL()))
	field("charts", "testdata/charts, served as a chart repository at "+d.charts)
	field("operator", "the real one: ./octo-operator")
	note("$RUN below is the directory that the operator makes for each event. The commands are shortened: the operator's " +
		"log has them with KUBECONFIG=… in front, $RUN and $OCTO_LABELS written out, ready to be pasted.")
}
