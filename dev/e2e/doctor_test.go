package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
	"octo-operator/doctor"
)

// doctor runs octo-operator doctor with JSON output, where the test's operator runs and with its environment, and wants an exit code.
// Each check has 5 s, which may be too short on a busy machine: then it is run again.
func (w *world) doctor(exit int, env ...string) (all doctor.Report) {
	w.Helper()
	var out, said bytes.Buffer
	got := 0
	inTime := func() bool {
		all = doctor.Report{}
		out.Reset()
		said.Reset()
		line := append(slices.Clone(w.wrap), w.program, "doctor", "--output", "json")
		cmd := osexec.Command(line[0], line[1:]...)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(w.environment(), env...), &out, &said
		err := cmd.Run()
		if decodeErr := json.Unmarshal(out.Bytes(), &all); decodeErr != nil {
			w.Fatalf("%v, %v\n%s%s", err, decodeErr, out.String(), said.String())
		}
		got = cmd.ProcessState.ExitCode()
		return !slices.ContainsFunc(all.Findings, func(f doctor.Finding) bool { return strings.Contains(f.Found, "no answer within") })
	}
	if !w.eventually(inTime) || got != exit {
		w.Errorf("exit code %d, want %d\n%s%s", got, exit, out.String(), said.String())
	}
	for _, secret := range []string{brokerPassword, plantedMongo, plantedOverride} {
		if strings.Contains(out.String()+said.String(), secret) {
			w.Errorf("%s is in the output:\n%s", secret, out.String())
		}
	}
	return all
}

// wantFinding wants a finding of a check with a mark and all of the words, in its text or its advice.
func (w *world) wantFinding(all doctor.Report, mark doctor.Mark, check string, words ...string) {
	w.Helper()
	for _, f := range all.Findings {
		has := f.Mark == mark && strings.HasPrefix(f.Check, check)
		for _, word := range words {
			has = has && strings.Contains(f.Found+" DO "+f.Do, word)
		}
		if has && (mark != doctor.Fail || f.Do != "") {
			return
		}
	}
	var text strings.Builder
	for _, f := range all.Findings {
		doctor.WriteText(&text, f, false)
	}
	w.Errorf("nothing is %s: %s with %q; found:\n%s", mark, check, words, text.String())
}

// It runs alone: this operator watches all namespaces, and would register the pools of other tests.
func TestTheDoctorFindsTheInstalledChartInOrderAndDisturbsNothing(t *testing.T) {
	w := newWorldAlone(t, devcontroller.G3)
	w.installChart("rbac.scope=cluster")
	p := w.startPod()
	w.probe200(p)
	w.deployPool()
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitUntilSettled()
	before, files := w.controller.LastSeq(), w.namesBelow(w.stateDir)

	all := w.doctor(0)
	if all.Failed+all.Warnings > 0 {
		for _, f := range all.Findings {
			if f.Mark == doctor.Fail || f.Mark == doctor.Warn && f.Check != "memory" && f.Check != "state directory" { // these two depend on this machine
				t.Errorf("%+v", f)
			}
		}
	}
	for check, words := range map[string][]string{
		"helm": {"for which the operator is made"}, "kubectl": {"for which the operator is made"}, "settings": {"known and readable"},
		"state directory": {"runs 2, of"}, "daemon": {"ready, registered at the controller (generation G3), pools registered: "},
		"cluster": {"as service account " + w.namespace + "/" + operatorName}, "clock": {"within"},
		"namespace " + w.namespace: {"exists"}, "permissions to watch pools in all namespaces": {"are allowed"},
		"permissions for releases in " + w.namespace: {"are allowed"}, "CRD communicationpools": {"serves v1alpha1", "who has made it cannot be told"}, "CRD deploymentsites": {"serves v1;"},
		"certificate": {"served"}, "MutatingWebhookConfiguration " + w.namespace: {"points at this operator", "whose certificate the API server trusts", "failurePolicy Fail"},
		"ValidatingWebhookConfiguration " + w.namespace: {"points at this operator"}, "leader": {"which is this operator, leads since"},
		"controller": {w.controller.URL() + " takes the connection; generation G3"}, "repository " + openCharts.URL: {"its index can be read"},
	} {
		w.wantFinding(all, doctor.OK, check, words...)
	}

	if after := w.namesBelow(w.stateDir); after != files {
		t.Errorf("the state directory has changed:\n%s\nbefore:\n%s", after, files)
	}
	for _, c := range w.controller.Calls() {
		if c.Seq > before && !strings.Contains(c.Method, "Pool") { // pools of tests that have ended are still being deleted
			t.Errorf("the controller was called: %v", c)
		}
	}
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Errorf("the daemon works no more: %s", s.StatusMessage)
	}
	w.container, w.wrap, w.program = nil, nil, operatorBinary                                                                              // as on a laptop, with the rights of the cluster's administrator
	w.wantFinding(w.doctor(0, "KUBECONFIG="+os.Getenv("KUBECONFIG"), "OPERATOR__STATEDIR="+t.TempDir()), doctor.OK, "CRD deploymentsites", // another test replaces the other one
		"of helm release octo-suite in namespace "+suiteNamespace, "of this operator's chart", "written by helm")
}

func TestTheDoctorAsksAsTheTenantsAccounts(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	namespace := w.accounts()
	w.start()
	if s := w.deploy(w.ofTenant("acme", "Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	all := w.doctor(0)
	w.wantFinding(all, doctor.OK, "tenants' accounts", "may be impersonated, all those of namespace "+namespace)
	w.wantFinding(all, doctor.OK, "tenant's account octo-acme", "keep releases in "+w.namespace)

	w.kubectl("delete", "rolebinding", "octo-tenant")
	forbidden := func() bool { // the API server takes a moment to know it
		_, err := w.try("", "get", "secrets", "--as=system:serviceaccount:"+namespace+":octo-acme")
		return err != nil
	}
	if !w.eventually(forbidden) {
		t.Fatal("the account may still read Secrets")
	}
	w.wantFinding(w.doctor(1), doctor.Fail, "tenant's account octo-acme", "may not get secrets in "+w.namespace, "deploy/tenants")
}

// namesBelow returns the names of all files below a directory.
func (w *world) namesBelow(dir string) string {
	w.Helper()
	var all []string
	w.must(filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error { all = append(all, path); return err }))
	return strings.Join(all, "\n")
}

// Six things are broken at once. It changes the CRDs, which all tests share, and therefore runs before the others.
func TestTheDoctorNamesSixThingsThatAreBrokenAtOnceAndWhatToDo(t *testing.T) {
	w := newWorldAlone(t, devcontroller.G3)
	h, _ := newWebhooks(w, pools)
	h.issueUntil(time.Now().Add(-time.Minute))
	w.withoutDefinitions()
	w.must(w.controller.Close())
	w.kubectl("create", "serviceaccount", "lacking")
	account := filepath.Join(t.TempDir(), "kubeconfig")
	w.must(writeKubeconfig(account, w.namespace, "lacking"))
	w.apply(lackingRole(w.namespace))
	bin := t.TempDir() // without helm
	for _, tool := range []string{"kubectl", "sh", "mount"} {
		path, err := osexec.LookPath(tool)
		w.must(err)
		w.must(os.Symlink(path, filepath.Join(bin, tool)))
	}
	w.smallDisk("size=64k")

	all := w.doctor(1, "PATH="+bin, "KUBECONFIG="+account)
	w.wantFinding(all, doctor.Fail, "helm", "no such command in PATH", "install helm on PATH")
	w.wantFinding(all, doctor.Fail, "permissions for releases in "+w.namespace, "may not create secrets", "nothing is deployed", "rbac.create")
	w.wantFinding(all, doctor.Fail, "CRD communicationpools.octo-mesh.meshmakers.io", "does not exist", "kubectl apply --server-side -f deploy/crds")
	w.wantFinding(all, doctor.Fail, "certificate", "has expired", "no restart is needed")
	w.wantFinding(all, doctor.Fail, "controller", w.controller.URL(), "connection refused", "look whether the controller runs")
	w.wantFinding(all, doctor.Fail, "state directory", "the disk is full", "make the volume larger")
	w.wantFinding(all, doctor.OK, "kubectl")
	w.wantFinding(all, doctor.OK, "cluster")
}

// withoutDefinitions removes the CRDs until the test ends.
func (w *world) withoutDefinitions() {
	w.Helper()
	crds := []string{"crd/" + pools.plural + "." + pools.group, "crd/" + sites.plural + "." + sites.group}
	kept := w.kubectl(append([]string{"get", "--output", "json"}, crds...)...)
	w.kubectl(append([]string{"delete"}, crds...)...)
	w.Cleanup(func() {
		var list struct{ Items []map[string]any }
		w.must(json.Unmarshal([]byte(kept), &list))
		for _, object := range list.Items {
			delete(object, "status")
			metadata := object["metadata"].(map[string]any)
			for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
				delete(metadata, field)
			}
			text, err := json.Marshal(object)
			w.must(err)
			if said, err := w.try(string(text), "apply", "--server-side", "--field-manager", "helm", "-f", "-"); err != nil {
				w.Errorf("a CRD is not put back: %s", said) // with the labels and annotations of helm
			}
		}
		w.kubectl(append([]string{"wait", "--for=condition=Established"}, crds...)...)
	})
	discovered := func() bool { // the API server takes a moment to notice
		_, err := w.try("", "get", "--raw", "/apis/"+pools.group)
		return err != nil
	}
	if !w.eventually(discovered) {
		w.Fatal("the CRDs are still served")
	}
}

// lackingRole is the chart's role for an account, without the right to create Secrets.
func lackingRole(namespace string) string {
	role, _, _ := strings.Cut(strings.TrimPrefix(operatorRole, "---\n"), "---\n")
	role = strings.ReplaceAll(role, "\n  namespace: "+suiteNamespace+"\n", "\n  namespace: "+namespace+"\n")
	role = strings.Replace(role, "name: octo-suite-communication-operator", "name: lacking", 1)
	role = strings.Replace(role, "verbs: [get, list, watch, create, update, patch, delete]", "verbs: [get, list, watch, update, patch, delete]", 1)
	return role + fmt.Sprintf("\n---\n"+`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "lacking"},
		"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lacking"},
		"subjects": [{"kind": "ServiceAccount", "name": "lacking", "namespace": %q}]}`, namespace)
}
