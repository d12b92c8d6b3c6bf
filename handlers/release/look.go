package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"octo-operator/kube"
	"octo-operator/names"
)

// Look is the command octo-operator look, which workload-deploy runs after helm template. It is an error if the manifest in the file would touch
// another release or the operator. It rewrites the file for kubectl's dry run, without hooks and objects of crds/, and writes the values of the
// hooks' Secrets beside it, into HookSecretsFile. helm upgrade renders again, and may send other objects: the guard checks those.
//
// The variables of the run tell whose the manifest is. Without them, as when a person has pasted the command, nothing is checked.
func Look(environ []string, file string) error {
	manifest, err := readManifest(file)
	if err != nil {
		return fmt.Errorf("cannot look at the manifest: %w", err)
	}
	rules := lookRules(func(name string) string { return variableOf(environ, name) })
	if rules.Release != "" {
		err = kube.Look(manifest, rules)
	}
	if err != nil {
		return err
	}
	applied, err := kube.Applied(manifest)
	if err == nil {
		err = keepHookSecrets(filepath.Join(filepath.Dir(file), HookSecretsFile), manifest, applied)
	}
	if err != nil {
		return fmt.Errorf("cannot look at the manifest: %w", err)
	}
	return os.WriteFile(file, applied, 0o600)
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

// lookRules are the rules for the manifest of a run's release. value returns a variable of the run.
func lookRules(value func(name string) string) kube.Rules {
	list := func(name string) []string {
		return slices.DeleteFunc(strings.Split(value(name), ","), func(s string) bool { return s == "" })
	}
	return kube.Rules{
		Release: value("RELEASE"), Namespace: value("NAMESPACE"),
		Group: names.Group, Tenant: names.LabelValue(value("TENANT")),
		Endings: []string{names.SecretsEnding, names.SecretsEnding + names.BeforeEnding, names.BrokerEnding}, Own: list(ownSecretsVariable),
		Account: value(operatorAccountVariable), Secrets: list(operatorSecretsVariable),
	}
}

// lookVariables are the variables of workload-deploy by which octo-operator look knows the release.
func (d *Deployment) lookVariables(ctx context.Context) (map[string]string, error) {
	own := append([]string{d.Release.SecretName()}, names.BrokerSecrets(d.Event.Pool)...)
	variables := map[string]string{
		"OPERATOR":         d.program,
		ownSecretsVariable: strings.Join(own, ","), operatorSecretsVariable: "", operatorAccountVariable: "",
	}
	self, err := d.cluster.Self(ctx)
	if err != nil {
		return nil, err
	}
	if self.Namespace == d.Release.Namespace {
		variables[operatorSecretsVariable] = strings.Join(self.Secrets, ",")
		variables[operatorAccountVariable] = self.ServiceAccount
	}
	return variables, nil
}
