package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Every operator of the suite works under the role of deploy/chart: a release of the chart brings the CRDs and the service
// account, and each test's namespace gets the chart's Role. The API server's audit log then tells what was refused.

const chartDir, suiteNamespace = "../../deploy/chart", "octo-suite"

// The chart's Role is rendered for the release's own namespace, which is then replaced by a test's namespace.
var suiteValues = []string{"--namespace", suiteNamespace, "--set", "rbac.scope=namespace,replicaCount=0,operator.poolNamespace=" + suiteNamespace}

var (
	operatorKubeconfig string // of the chart's service account
	operatorRole       string // the chart's Role and its binding, for suiteNamespace
)

func installSuiteChart(dir string) error {
	install := append([]string{"install", "octo-suite", chartDir, "--create-namespace"}, suiteValues...)
	if _, err := output("helm", install...); err != nil {
		return err
	}
	crds := []string{"crd/communicationpools.octo-mesh.meshmakers.io", "crd/deploymentsites.octo-mesh.meshmakers.io"}
	if _, err := output("kubectl", append([]string{"wait", "--for=condition=Established"}, crds...)...); err != nil {
		return err
	}
	manifest, err := output("helm", "get", "manifest", "octo-suite", "--namespace", suiteNamespace)
	if err != nil {
		return err
	}
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, "\nkind: Role\n") || strings.Contains(document, "\nkind: RoleBinding\n") {
			operatorRole += "---\n" + document + "\n"
		}
	}
	operatorKubeconfig = filepath.Join(dir, "kubeconfig")
	return writeKubeconfig(operatorKubeconfig, suiteNamespace, "communication-operator")
}

// writeKubeconfig writes a kubeconfig with a token of a service account.
func writeKubeconfig(file, namespace, account string) error {
	config, err := output("kubectl", "config", "view", "--raw")
	if err != nil {
		return err
	}
	token, err := output("kubectl", "create", "token", account, "--namespace", namespace, "--duration=24h")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	if _, err := output("kubectl", "config", "set-credentials", account, "--kubeconfig", file, "--token", strings.TrimSpace(token)); err != nil {
		return err
	}
	_, err = output("kubectl", "config", "set-context", "--current", "--kubeconfig", file, "--user", account)
	return err
}

// allowOperator gives the suite's operators the chart's rights in a namespace.
func allowOperator(namespace string) error {
	// Only the namespaces of the objects are changed: the subject stays the service account in the release's namespace.
	place, account := "\n  namespace: "+suiteNamespace+"\n", "\n    namespace: "+suiteNamespace
	role := strings.ReplaceAll(operatorRole, place, "\n  namespace: "+namespace+"\n")
	if strings.Count(role, "\n  namespace: "+namespace+"\n") != 2 || !strings.Contains(role, account) {
		return fmt.Errorf("the chart's Role and its binding are not as they were:\n%s", operatorRole)
	}
	cmd := osexec.Command("kubectl", "create", "--namespace", namespace, "-f", "-")
	cmd.Stdin = strings.NewReader(role)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot allow the operator to work in %s: %w\n%s", namespace, err, out)
	}
	return nil
}

// output returns the output of a command.
func output(name string, args ...string) (string, error) {
	out, err := osexec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot run %s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// asked is one kind of request in the API server's audit log.
type asked struct{ verb, group, resource string }

func (a asked) String() string {
	if a.group == "" {
		return a.verb + " " + a.resource
	}
	return a.verb + " " + a.resource + "." + a.group
}

// doesWithout are requests of the operator that a role may refuse, and the effect.
var doesWithout = map[asked]string{
	{"list", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"}:   "a webhook that keeps a pool from being made is named, but not whose it is",
	{"list", "admissionregistration.k8s.io", "validatingwebhookconfigurations"}: "the same",
	{"get", "apiextensions.k8s.io", "customresourcedefinitions"}:                "octo-operator doctor does not say who has made a CRD",
}

// audit reads the requests of a namespace's service accounts from the API server's audit log: how often each was sent, and which the role
// has refused. A refused request that was allowed at another time does not count: an API server that has just started refuses requests
// until it has read the roles.
func audit(namespace string) (all map[asked]int, refused []string, err error) {
	file, err := os.Open(filepath.Join(os.Getenv("OCTO_CLUSTER_DIR"), "audit.log"))
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	all = map[asked]int{}
	forbidden, allowed := map[asked][]string{}, map[asked]bool{} // keys include the namespace
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadString('\n')
		if err != nil { // the last line may be incomplete
			for what, requests := range forbidden {
				if !allowed[what] { // otherwise the API server had just started
					refused = append(refused, requests...)
				}
			}
			return all, refused, nil
		}
		if !strings.Contains(line, `"system:serviceaccount:`+namespace+`:`) {
			continue
		}
		var event struct {
			Verb, RequestURI string
			ObjectRef        *struct{ APIGroup, Resource, Subresource, Namespace string }
			ImpersonatedUser *struct{} // a tenant's account, which has a role of its own
			Annotations      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.ObjectRef == nil || event.ImpersonatedUser != nil {
			continue // requests such as discovery, which everybody may send
		}
		a := asked{event.Verb, event.ObjectRef.APIGroup, event.ObjectRef.Resource}
		if event.ObjectRef.Subresource != "" {
			a.resource += "/" + event.ObjectRef.Subresource
		}
		all[a]++
		there := a
		there.resource += " in " + event.ObjectRef.Namespace
		switch {
		case event.Annotations["authorization.k8s.io/decision"] != "forbid":
			allowed[there] = true
		case doesWithout[a] == "":
			forbidden[there] = append(forbidden[there], fmt.Sprintf("%s (%s)", a, event.RequestURI))
		}
	}
}

var showAudit = flag.Bool("audit", false, "print what the operators have asked of the API server, and which of the chart's rights nobody has used")

// judgeRole returns an error if the chart's role has refused requests anywhere in the suite.
func judgeRole() error {
	all, refused, err := audit(suiteNamespace)
	if err != nil {
		return fmt.Errorf("cannot find out what the chart's role has refused: %w", err)
	}
	if *showAudit {
		if err := printAudit(all); err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		return fmt.Errorf("the chart's role lacks what the operator needs:\n%s", strings.Join(slices.Compact(refused), "\n"))
	}
	return nil
}

func printAudit(all map[asked]int) error {
	text, err := output("kubectl", "get", "role", "octo-suite-communication-operator", "--namespace", suiteNamespace, "--output", "json")
	if err != nil {
		return err
	}
	var role struct {
		Rules []struct{ APIGroups, Resources, Verbs []string }
	}
	if err := json.Unmarshal([]byte(text), &role); err != nil {
		return err
	}
	var used, unused []string
	for a, n := range all {
		used = append(used, fmt.Sprintf("%-60s %d", a, n))
	}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					if a := (asked{verb, group, resource}); all[a] == 0 {
						unused = append(unused, a.String())
					}
				}
			}
		}
	}
	slices.Sort(used)
	slices.Sort(unused)
	fmt.Printf("asked:\n%s\nnever asked, and allowed:\n%s\n", strings.Join(used, "\n"), strings.Join(unused, "\n"))
	return nil
}
