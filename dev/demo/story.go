package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"octo-operator/dev/devcontroller"
)

// helmTimeout is short so that Broken fails soon.
const helmTimeout = "10s"

func (d *demo) planWorkloads() {
	d.pool = devcontroller.Pool{TenantID: "acme", ID: "65d5c447b420da3fb12381bc"}
	if d.generation == devcontroller.G1 {
		d.pool.ID = "main-pool"
	}
	d.shop = devcontroller.Workload{
		Pool: d.pool, Name: "Shop", RtID: "65d5c447b420da3fb12381c1", Type: devcontroller.Application,
		RepositoryURL: d.charts, ChartName: "demo-app", ChartVersion: "1.2.0",
		ValuesYaml: fmt.Sprintf("replicaCount: %d\nsettings:\n  COLOUR: green\n", d.shopReplicas()),
		Values: []devcontroller.Override{
			{Path: "secrets.apiKey", Value: apiKey, IsSecret: true},
			{Path: "secrets.dbPassword", Value: dbPassword, IsSecret: true},
			{Path: "port", Value: "9090"},
		},
	}
	d.broken = d.shop
	d.broken.Name, d.broken.RtID = "Broken", "65d5c447b420da3fb12381c2"
	d.broken.ValuesYaml, d.broken.Values = "image:\n  repository: demo/does-not-exist\n", nil
}

func (d *demo) shopReplicas() int {
	if d.ownCluster {
		return 0
	}
	return 2
}

// step is a chapter of the story.
type step struct {
	title string
	do    func() error
}

// play runs the steps until one fails.
func (d *demo) play() error {
	last := step{"The controller undeploys everything", d.undeploy}
	if stays() {
		last = step{"Look around", d.lookAround}
	}
	for _, step := range []step{
		{"The operator registers at the controller", d.register},
		{"The controller deploys a pool", d.deployPool},
		{"The controller deploys a workload with secrets: Shop", d.deployShop},
		{"What was run can be run again", d.rerunShop},
		{"A workload that cannot work: Broken", d.explainBroken},
		{"Where the secrets are, and where not", d.findSecrets},
		last,
	} {
		heading(step.title)
		if err := step.do(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) register() error {
	if err := d.startOperator(); err != nil {
		return err
	}
	call, err := d.controller.WaitFor(d.ctx, "RegisterOperatorAsync", func(c devcontroller.Call) bool { return c.Error == "" })
	if err != nil {
		return err
	}
	if err := d.operator.waitRecord(d.ctx, "registered at the controller"); err != nil {
		return err
	}
	label("the operator's log", "")
	d.operator.printLog(func(r record) bool { return r["run"] == nil })
	d.printCall(call)
	return nil
}

func (d *demo) deployPool() error {
	if err := d.controller.PoolDeployed(d.ctx, d.pool); err != nil {
		return err
	}
	run, err := d.operator.waitRun(d.ctx, "PoolDeployed", "pool", d.pool.ID, "succeeded")
	if err != nil {
		return err
	}
	if _, err := d.controller.WaitRegistered(d.ctx, d.pool); err != nil {
		return err
	}
	run.printEvent()
	run.printLog()
	label("in the cluster", "")
	if err := errors.Join(
		d.show("kubectl", "get", d.poolResource()),
		d.showKeys("acme-"+d.pool.ID+"-octo-mesh-connection", "brokerpassword", "brokerusername"),
	); err != nil {
		return err
	}
	for _, call := range d.controller.Calls() {
		if call.Error == "" && strings.HasPrefix(call.Method, "Register") && call.Method != "RegisterOperatorAsync" {
			d.printCall(call)
		}
	}
	note("From now on the controller sends the workloads of this pool to this operator.")
	return nil
}

// deployShop also sends Broken, which takes as long as helm's timeout: so no later step has to wait for it.
func (d *demo) deployShop() error {
	note("A second workload, Broken, is sent at the same moment. Nothing waits for it; it has a chapter of its own below.")
	if err := errors.Join(d.controller.Deploy(d.ctx, d.broken), d.controller.Deploy(d.ctx, d.shop)); err != nil {
		return err
	}
	run, err := d.operator.waitRun(d.ctx, "WorkloadDeployed", "workload", "Shop", "succeeded")
	if err != nil {
		return err
	}
	d.shopRun = run
	run.printEvent()
	run.printLog()
	label("in the cluster", "")
	if err := d.showShop(run.release()); err != nil {
		return err
	}
	if err := d.showReports("Shop", func(s status) bool { return s.Success }); err != nil {
		return err
	}
	return run.printDir()
}

func (d *demo) showShop(release string) error {
	err := errors.Join(
		d.show("helm", "history", release),
		d.show("kubectl", "get", "deployments,pods", "--selector", "app.kubernetes.io/instance="+release),
		d.show("helm", "get", "values", release),
		d.showKeys(release+"-octo-secrets", "secrets.apiKey", "secrets.dbPassword", "secrets.rabbitmq"),
	)
	if err != nil {
		return err
	}
	var values struct {
		Secrets map[string]struct {
			ValueFrom struct{ SecretKeyRef struct{ Name, Key string } }
		}
	}
	if err := d.getJSON(&values, "helm", "get", "values", release); err != nil {
		return err
	}
	for _, name := range []string{"apiKey", "dbPassword", "rabbitmq"} {
		if ref := values.Secrets[name].ValueFrom.SecretKeyRef; ref.Name != release+"-octo-secrets" || ref.Key != "secrets."+name {
			return fmt.Errorf("the value of Shop: secrets.%s refers to key %q of Secret %q", name, ref.Key, ref.Name)
		}
	}
	var deployment struct{ Status struct{ ReadyReplicas int } }
	err = d.getJSON(&deployment, "kubectl", "get", "deployment", release)
	if ready := deployment.Status.ReadyReplicas; err == nil && ready != d.shopReplicas() {
		err = fmt.Errorf("workload Shop has %d pods ready, not %d", ready, d.shopReplicas())
	}
	return err
}

func (d *demo) rerunShop() error {
	note("Each run directory has a program that runs the same script with the same inputs.")
	out, err := d.command(d.ctx, d.shopRun.file("rerun")).CombinedOutput()
	label("by hand", "for Shop")
	prompt("$RUN/rerun")
	block(short(string(out)))
	if err != nil {
		return fmt.Errorf("cannot run Shop again: %w", err)
	}
	release := d.shopRun.release()
	var revisions []any
	if err := errors.Join(d.show("helm", "history", release), d.getJSON(&revisions, "helm", "history", release)); err != nil {
		return err
	}
	if len(revisions) != 2 {
		return fmt.Errorf("workload Shop has %d revisions after the rerun, not 2", len(revisions))
	}
	return nil
}

func (d *demo) explainBroken() error {
	note("Its image does not exist, so its pod is waited for in vain: for " + helmTimeout + ", as set for this demo.")
	run, err := d.operator.waitRun(d.ctx, "WorkloadDeployed", "workload", "Broken", "failed")
	if err != nil {
		return err
	}
	run.printEvent()
	run.printLog()
	if err := d.showReports("Broken", func(s status) bool {
		return !s.Success && strings.Contains(s.StatusMessage, "cannot be pulled")
	}); err != nil {
		return err
	}
	label("in the cluster", "Broken was taken back, Shop is as it was")
	if err := d.show("helm", "list", "--short"); err != nil {
		return err
	}
	if left, err := d.get("helm", "list", "--short"); err != nil || left != d.shopRun.release() {
		return errors.Join(err, fmt.Errorf("after Broken's failure the releases are %q, not Shop alone", left))
	}
	return run.printDir()
}

func (d *demo) undeploy() error {
	if err := errors.Join(d.controller.Undeploy(d.ctx, d.shop), d.controller.Undeploy(d.ctx, d.broken)); err != nil {
		return err
	}
	for _, name := range []string{"Shop", "Broken"} {
		run, err := d.operator.waitRun(d.ctx, "WorkloadUndeployed", "workload", name, "succeeded")
		if err != nil {
			return err
		}
		run.printLog()
	}
	if err := d.controller.PoolUndeployed(d.ctx, d.pool); err != nil {
		return err
	}
	run, err := d.operator.waitRun(d.ctx, "PoolUndeployed", "pool", d.pool.ID, "succeeded")
	if err != nil {
		return err
	}
	run.printLog()
	if err := d.waitEmpty(); err != nil {
		return err
	}
	label("in the cluster", "nothing is left")
	return d.show("kubectl", "get", "all,secrets,"+d.poolResource())
}

// status is the operator's report of a deploy.
type status struct {
	WorkloadName, StatusMessage string
	Success                     bool
}

// showReports waits for the final report on a workload and prints all reports on it.
func (d *demo) showReports(workload string, expected func(status) bool) error {
	about := func(c devcontroller.Call) (s status, is bool) {
		is = len(c.Args) == 1 && json.Unmarshal(c.Args[0], &s) == nil && s.WorkloadName == workload
		return s, is
	}
	verdict, err := d.controller.WaitFor(d.ctx, "ReportWorkloadDeploymentStatusAsync", func(c devcontroller.Call) bool {
		_, is := about(c)
		return is && c.Error == ""
	})
	if err != nil {
		return err
	}
	for _, call := range d.controller.Calls() {
		if _, is := about(call); is {
			d.printCall(call)
		}
	}
	if s, _ := about(verdict); !expected(s) {
		return fmt.Errorf("the report on %s is not the expected one: success=%v, %q", workload, s.Success, s.StatusMessage)
	}
	return nil
}
