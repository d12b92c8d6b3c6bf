package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/kube"
)

// Look is what octo-operator look does in workload-deploy: an error if the manifest of a run's release would touch another release
// or the operator. It runs within the script, and within helm, since nobody else sees what is applied before it is.
//
// With a file it looks at what helm template has written there, and leaves in it what kubectl is asked about: no hooks, and nothing
// of a chart's crds/. Without one it is a post-renderer of helm's: it hands on what it has read, and notes why not in the file that
// OCTO_REFUSED names.
//
// The variables of the run say whose the manifest is. Without them, where a person has pasted the command, it looks at nothing.
func Look(environ []string, file string, in io.Reader, out io.Writer) error {
	rules := lookRules(environ)
	if file != "" {
		manifest, err := readManifest(file)
		if err != nil {
			return fmt.Errorf("cannot look at the manifest: %w", err)
		}
		if err := kube.Look(manifest, rules); err != nil {
			return err
		}
		if manifest, err = kube.Applied(manifest); err != nil {
			return fmt.Errorf("cannot look at the manifest: %w", err)
		}
		return os.WriteFile(file, manifest, 0o600)
	}
	manifest, err := io.ReadAll(io.LimitReader(in, bounds.Manifest+1))
	if err == nil && rules.Release != "" {
		err = kube.Look(manifest, rules)
	}
	if note := variableOf(environ, "REFUSED"); err != nil && note != "" {
		err = errors.Join(err, os.WriteFile(note, []byte("octo-operator: "+err.Error()+"\n"), 0o600))
	}
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(manifest)) == 0 {
		manifest = []byte("# nothing\n") // a chart may make nothing, and helm takes an empty answer for a failure
	}
	_, err = out.Write(manifest)
	return err
}

// The variables of a run by which a manifest is looked at, besides RELEASE, NAMESPACE and TENANT: names with commas between them.
const (
	ownSecretsVariable      = "OWN_SECRETS"      // of the release and its pool
	operatorSecretsVariable = "OPERATOR_SECRETS" // the operator's own, if they are in the release's namespace
	operatorAccountVariable = "OPERATOR_ACCOUNT" // its service account, likewise
)

// variableOf is a run's variable.
func variableOf(environ []string, name string) string {
	for _, variable := range environ {
		if text, is := strings.CutPrefix(variable, "OCTO_"+name+"="); is {
			return text
		}
	}
	return ""
}

func lookRules(environ []string) kube.Rules {
	value := func(name string) string { return variableOf(environ, name) }
	list := func(name string) []string {
		return slices.DeleteFunc(strings.Split(value(name), ","), func(s string) bool { return s == "" })
	}
	return kube.Rules{
		Release: value("RELEASE"), Namespace: value("NAMESPACE"),
		Group: group, Tenant: labelValue(value("TENANT")),
		Endings: []string{secretsEnding, secretsEnding + beforeEnding, brokerEnding}, Own: list(ownSecretsVariable),
		Account: value(operatorAccountVariable), Secrets: list(operatorSecretsVariable),
		NoHooks: value(guardedVariable) == "false",
	}
}

// lookVariables are what octo-operator look knows a release by.
func (h *Handlers) lookVariables(ctx context.Context, d *deployment) (map[string]string, error) {
	own := []string{d.release.secretName()}
	pool := d.w.Pool
	if name, err := dnsName(pool.TenantID, pool.ID()); err == nil {
		for _, name := range append([]string{name}, referencePools(pool)...) {
			own = append(own, brokerSecret(name))
		}
	}
	variables := map[string]string{
		"OPERATOR": h.program, "PLUGINS": h.scripts.Plugins(),
		ownSecretsVariable: strings.Join(own, ","), operatorSecretsVariable: "", operatorAccountVariable: "",
	}
	self, err := h.kubectl.Self(ctx)
	if err != nil {
		return nil, err
	}
	if self.Namespace == d.release.namespace {
		variables[operatorSecretsVariable] = strings.Join(self.Secrets, ",")
		variables[operatorAccountVariable] = self.ServiceAccount
	}
	return variables, nil
}
