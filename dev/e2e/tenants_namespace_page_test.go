package e2e

import (
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

func TestTheNamespaceOfTheSecurityPageKeepsOutWhatItSays(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	page, err := os.ReadFile("../../docs/security.md")
	w.must(err)
	_, manifest, _ := strings.Cut(string(page), "```yaml\n")
	manifest, _, _ = strings.Cut(manifest, "```")
	policy := w.namespace + "-images"
	manifest = strings.NewReplacer("name: octo\n", "name: "+w.namespace+"\n", "namespace: octo}", "namespace: "+w.namespace+"}", "name: octo}", "name: "+w.namespace+"}",
		"metadata.name: octo}", "metadata.name: "+w.namespace+"}", "tenants-images", policy).Replace(manifest)
	apply := osexec.Command("kubectl", "apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-")
	apply.Stdin = strings.NewReader(manifest)
	t.Cleanup(func() {
		_ = osexec.Command("kubectl", "delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", policy).Run()
	})
	if out, err := apply.CombinedOutput(); err != nil || strings.Contains(string(out), "Warning") {
		t.Fatalf("%v\n%s", err, out)
	}
	pod := func(spec string) (said string, refused bool) {
		cmd := osexec.Command("kubectl", "create", "--dry-run=server", "--namespace", w.namespace, "-f", "-")
		cmd.Stdin = strings.NewReader("{apiVersion: v1, kind: Pod, metadata: {name: probe}, spec: " + spec + "}")
		out, err := cmd.CombinedOutput()
		return string(out), err != nil
	}
	const confined = `securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, runAsUser: 1000, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`
	good := `{name: app, image: registry.example.com/app, ` + confined + `}`
	foreign := `{name: init, image: elsewhere.example/app, ` + confined + `}`
	if !w.eventually(func() bool { _, refused := pod(`{containers: [` + foreign + `]}`); return refused }) { // a policy takes effect after a moment
		t.Error("a foreign image is let in")
	}
	for _, test := range []struct{ name, spec, want string }{
		{"an init container's foreign image", `{containers: [` + good + `], initContainers: [` + foreign + `]}`, "images come from registry.example.com alone"},
		{"the node's processes", `{containers: [` + good + `], hostPID: true}`, "violates PodSecurity"},
		{"a path of the host", `{containers: [` + good + `], volumes: [{name: host, hostPath: {path: /}}]}`, "violates PodSecurity"},
		{"more memory than there is", `{containers: [{name: app, image: registry.example.com/app, resources: {limits: {memory: 5Gi}}, ` + confined + `}]}`, "maximum memory usage per Container is 4Gi"},
		{"an ordinary one", `{containers: [` + good + `]}`, "pod/probe created"},
	} {
		if said, refused := pod(test.spec); !strings.Contains(said, test.want) || refused != (test.want != "pod/probe created") {
			t.Errorf("%s: %s", test.name, said)
		}
	}
}
