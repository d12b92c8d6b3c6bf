package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"octo-operator/dev/devcontroller"
)

// brokenDeploys returns the deploys of docs/debugging.md, in its order.
func (d *demo) brokenDeploys() []devcontroller.Workload {
	workload := func(name, id, values string) devcontroller.Workload {
		w := d.shop
		w.Name, w.RtID, w.ValuesYaml, w.Values = name, "65d5c447b420da3fb12381"+id, values, nil
		return w
	}
	billing := workload("Billing", "d1", "image: {repository: demo/does-not-exist, tag: '2.0'}")
	catalog := workload("Catalog", "d2", "")
	catalog.Values = []devcontroller.Override{{Path: "imgae.tag", Value: "2.0"}}
	orders := workload("Orders", "d3", "")
	orders.Values = []devcontroller.Override{{Path: "port", Value: "99999"}}
	mail := workload("Mail", "d4", "secrets: {smtpPassword: {valueFrom: {secretKeyRef: {name: mail-account, key: does-not-exist}}}}")
	search := workload("Search", "d5", "")
	search.RepositoryURL = "http://127.0.0.1:1" // nobody listens there
	reports := workload("Reports", "d6", "replicaCount: 50")
	return []devcontroller.Workload{billing, catalog, orders, mail, search, reports}
}

// stays tells whether the demo continues until the user has looked around: make demo STAY=1.
func stays() bool { return os.Getenv("OCTO_STAY") != "" }

// hangingUpdate is a script for a tenant's update that never ends by itself.
const hangingUpdate = "#!/bin/sh\nset -eu\necho \"backing up tenant $OCTO_TENANT to s3://backups\" >&2\nexec sleep 3600\n"

// staySettings returns the operator's settings for make demo STAY=1: its own ports for probes and page, and the script that hangs.
func (d *demo) staySettings() ([]string, error) {
	if !stays() {
		return []string{"OPERATOR__STATUSPAGE=off", "KESTREL__ENDPOINTS__HTTP__URL=http://127.0.0.1:0"}, nil
	}
	dir := filepath.Join(d.dir, "scripts")
	probes, err := freeAddress()
	if err == nil {
		d.page, err = freeAddress()
	}
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "tenant-pre-update"), []byte(hangingUpdate), 0o700)
	}
	return []string{"OPERATOR__STATUSPAGE=" + d.page, "KESTREL__ENDPOINTS__HTTP__URL=" + probes, "OPERATOR__SCRIPTSDIR=" + dir}, err
}

func freeAddress() (string, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return "http://" + free.Addr().String(), free.Close()
}

// lookAround breaks six deploys and keeps one waiting, so that the user can find out why. It continues when Enter is pressed.
func (d *demo) lookAround() error {
	if err := d.breakDeploys(); err != nil {
		return err
	}
	file := filepath.Join(d.dir, "env")
	if err := os.WriteFile(file, []byte(d.environment()), 0o600); err != nil {
		return err
	}
	note("Seven workloads were sent: Billing, Catalog, Orders, Mail, Search, Reports and News. Something is wrong with each. " +
		"docs/debugging.md says how to find out what.")
	label("in a browser", d.page)
	label("in another terminal", "in this directory")
	prompt(". " + file)
	prompt("./octo-operator runs")
	note("The demo ends when you press Enter.")
	pressed := make(chan error, 1)
	go func() {
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		pressed <- err
	}()
	select {
	case <-pressed:
		return nil
	case <-d.ctx.Done():
		return context.Cause(d.ctx)
	}
}

func (d *demo) breakDeploys() error {
	for _, object := range [][]string{{"quota", "tenants", "--hard=pods=20"}, {"secret", "generic", "mail-account", "--from-literal=user=octo"}} {
		if _, err := d.get("kubectl", append([]string{"create"}, object...)...); err != nil {
			return err
		}
	}
	for _, w := range d.brokenDeploys() {
		if w.Name == "Reports" { // it uses up the quota
			if err := d.waitFor("Billing failed", "Catalog succeeded", "Orders failed", "Mail failed", "Search failed"); err != nil {
				return err
			}
		}
		if err := d.controller.Deploy(d.ctx, w); err != nil {
			return err
		}
	}
	if err := d.waitFor("Reports failed"); err != nil { // a tenant's update waits for its events in flight
		return err
	}
	news := d.shop
	news.Name, news.RtID = "News", "65d5c447b420da3fb12381d7"
	return errors.Join(d.controller.PreUpdateTenant(d.ctx, d.pool.TenantID), d.controller.Deploy(d.ctx, news))
}

// waitFor waits until deploys have ended: each of ends is a workload and its outcome.
func (d *demo) waitFor(ends ...string) error {
	for _, end := range ends {
		workload, outcome, _ := strings.Cut(end, " ")
		if _, err := d.operator.waitRun(d.ctx, "WorkloadDeployed", "workload", workload, outcome); err != nil {
			return err
		}
	}
	return nil
}

// environment returns the variables with which the operator's commands and kubectl work in a shell as in the operator's pod.
func (d *demo) environment() (lines string) {
	for _, setting := range d.operator.cmd.Env {
		name, _, _ := strings.Cut(setting, "=")
		switch {
		case strings.HasPrefix(name, "OPERATOR__"), strings.HasPrefix(name, "KESTREL__"), name == "PATH", name == "KUBECONFIG":
			lines += fmt.Sprintf("export '%s'\n", setting)
		}
	}
	return lines
}
