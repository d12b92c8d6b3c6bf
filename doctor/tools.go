package doctor

import (
	"context"
	"fmt"
	osexec "os/exec"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"octo-operator/exec"
)

// The versions for which the operator is made. A test compares them with the versions that the development cluster pins and the image
// contains.
var (
	testedHelms   = []string{"v4.3", "v3.22"} // helm 3 and helm 4 have different flags; the scripts know both
	testedKubectl = "v1.37"
)

// oldestKubernetes is the chart's kubeVersion: the rules of the CRDs use optionalOldSelf, which older API servers drop.
var oldestKubernetes = semver.MustParse("1.30.0")

func (x *examination) helm(ctx context.Context) []Finding {
	said, err := x.ask(ctx, "helm", "version", "--template", "{{.Version}}")
	version, parseErr := semver.NewVersion(said)
	switch {
	case err != nil:
		return []Finding{cannotRun("helm", because(ctx, err))}
	case parseErr != nil || version.Major() != 3 && version.Major() != 4:
		return []Finding{found(Fail, "helm", "%s (%s): the scripts know helm 3 and helm 4", said, where("helm")).
			todo("install helm %s, or use the image, which has it", testedHelms[0])}
	case slices.Contains(testedHelms, minor(version)):
		return []Finding{found(OK, "helm", "%s (%s), for which the operator is made", said, where("helm"))}
	case older(version, testedHelms):
		return []Finding{found(Warn, "helm", "%s (%s): older than what the operator is made for, %s", said, where("helm"), strings.Join(testedHelms, " and ")).
			todo("install one of these, or use the image, which has %s", testedHelms[0])}
	}
	return []Finding{found(OK, "helm", "%s (%s); the operator is made for %s", said, where("helm"), strings.Join(testedHelms, " and "))}
}

func (x *examination) kubectlTool(ctx context.Context) []Finding {
	version, said, err := x.kubectlVersion(ctx)
	switch {
	case err != nil:
		return []Finding{cannotRun("kubectl", because(ctx, err))}
	case minor(version) == testedKubectl:
		return []Finding{found(OK, "kubectl", "%s (%s), for which the operator is made", said, where("kubectl"))}
	case version.LessThan(oldestKubernetes):
		return []Finding{found(Warn, "kubectl", "%s (%s): the operator is made for %s", said, where("kubectl"), testedKubectl).
			todo("install kubectl %s, or use the image, which has it", testedKubectl)}
	}
	return []Finding{found(OK, "kubectl", "%s (%s); the operator is made for %s", said, where("kubectl"), testedKubectl)}
}

func (x *examination) kubectlVersion(ctx context.Context) (version *semver.Version, said string, err error) {
	said, err = x.ask(ctx, "kubectl", "version", "--client")
	if err != nil {
		return nil, "", err
	}
	said = strings.TrimPrefix(said, "Client Version: ")
	if version, err = semver.NewVersion(said); err != nil {
		return nil, "", fmt.Errorf("its version is %q: %w", said, err)
	}
	return version, said, nil
}

// ask returns the first line that a tool prints.
func (x *examination) ask(ctx context.Context, tool string, args ...string) (string, error) {
	out, err := exec.Capture(ctx, exec.Command{Path: tool, Args: args, Env: x.env})
	line, _, _ := strings.Cut(out, "\n")
	return line, err
}

func cannotRun(tool string, err error) Finding {
	return found(Fail, tool, "cannot run it: %s", strings.TrimPrefix(err.Error(), "cannot run "+tool+": ")).
		todo("install %s on PATH, or use the image, which has it: without it nothing is deployed", tool)
}

// where returns the path of a tool. It is called after the tool has run, so it should be on PATH.
func where(tool string) string {
	path, err := osexec.LookPath(tool)
	if err != nil {
		return "not on PATH"
	}
	return path
}

func minor(v *semver.Version) string { return fmt.Sprintf("v%d.%d", v.Major(), v.Minor()) }

// older tells whether a version is older than the one of the same major version.
func older(v *semver.Version, than []string) bool {
	return slices.ContainsFunc(than, func(t string) bool {
		other := semver.MustParse(t)
		return other.Major() == v.Major() && other.GreaterThan(v)
	})
}
