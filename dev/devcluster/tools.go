package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// modFiles pins every tool with all its dependencies: one go.mod and go.sum per
// upstream project. They are named *.mod and *.sum because go:embed leaves out
// folders that hold a go.mod.
//
// To change a version: copy NAME.mod and NAME.sum to go.mod and go.sum in an
// empty folder, `go mod edit -require MODULE@VERSION` (and for kubernetes the
// replace lines: k8s.io/kubernetes v1.X.Y needs its staging modules at v0.X.Y),
// `go mod tidy`, copy both back.
//
//go:embed tools/*.mod tools/*.sum
var modFiles embed.FS

// tool is a binary that is built from the Go module proxy.
type tool struct {
	name    string   // name of the binary
	mod     string   // tools/MOD.mod and tools/MOD.sum
	module  string   // module whose version is the tool's version
	pkg     string   // main package
	stamp   []string // variables that get the version
	stamps  []string // further variables, NAME=VALUE
	ask     []string // arguments with which the binary prints its version
	minutes int      // build time with a cold cache on 2 cores, rounded up
	arch    string   // GOARCH that it is built for; "": this machine's
}

// Without the stamp kubectl and the API server say v0.0.0-master, and helm
// refuses charts with a kubeVersion constraint.
var (
	kubeVersion = []string{"k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"}
	kubeMinor   = []string{"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=37"}

	askFlag = []string{"--version"}
	askHelm = []string{"version", "--template", "{{.Version}}"}
)

// In the order of building: first what people wait for.
var allTools = []tool{
	{name: "helm4", mod: "helm4", module: "helm.sh/helm/v4", pkg: "helm.sh/helm/v4/cmd/helm", ask: askHelm, minutes: 3,
		stamp: []string{"helm.sh/helm/v4/internal/version.version"}},
	kubeTool("kubectl", 2, "version", "--client"),
	{name: "etcd", mod: "etcd", module: "go.etcd.io/etcd/server/v3", pkg: "go.etcd.io/etcd/server/v3", ask: askFlag, minutes: 1},
	kubeTool("kube-apiserver", 4, askFlag...),
	kubeTool("kube-controller-manager", 2, askFlag...),
	kubeTool("kube-scheduler", 1, askFlag...),
	{name: "kwok", mod: "kwok", module: "sigs.k8s.io/kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", ask: askFlag, minutes: 1},
	{name: "helm3", mod: "helm3", module: "helm.sh/helm/v3", pkg: "helm.sh/helm/v3/cmd/helm", ask: askHelm, minutes: 2,
		stamp:  []string{"helm.sh/helm/v3/internal/version.version"},
		stamps: []string{"helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37", "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37"}},
}

func kubeTool(name string, minutes int, ask ...string) tool {
	return tool{name: name, mod: "kubernetes", module: "k8s.io/kubernetes", pkg: "k8s.io/kubernetes/cmd/" + name,
		stamp: kubeVersion, stamps: kubeMinor, ask: ask, minutes: minutes}
}

var clusterTools = []string{"helm4", "kubectl", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

func toolNames() string {
	var names []string
	for _, t := range allTools {
		names = append(names, t.name)
	}
	return strings.Join(names, " ") + " (helm is helm4)"
}

func toolsCommand(ctx context.Context, names []string) error {
	if len(names) == 0 {
		names = clusterTools
	}
	bin, err := ensureTools(ctx, 4, names...)
	if err != nil {
		return err
	}
	fmt.Println(bin)
	return nil
}

// ensureTools builds the named tools where this machine lacks them and returns a
// folder that holds them, and every other tool built or found, under their plain
// names; helm there is Helm 3 or 4 as asked.
func ensureTools(ctx context.Context, helm int, names ...string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	wanted, err := selectTools(names)
	if err != nil {
		return "", err
	}
	found, missing, err := locate(ctx, cache, wanted)
	if err != nil {
		return "", err
	}
	if err := buildMissing(ctx, cache, missing); err != nil {
		return "", err
	}
	return linkTools(cache, helm, found)
}

// selectTools returns the named tools in the order of building.
func selectTools(names []string) ([]tool, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		if name == "helm" {
			name = "helm4"
		}
		if !contains(allTools, name) {
			return nil, fmt.Errorf("unknown tool %q, there are: %s", name, toolNames())
		}
		wanted[name] = true
	}
	return slices.DeleteFunc(slices.Clone(allTools), func(t tool) bool { return !wanted[t.name] }), nil
}

func contains(tools []tool, name string) bool {
	return slices.ContainsFunc(tools, func(t tool) bool { return t.name == name })
}

// cacheDir is where the binaries are kept: outside the work tree, because a
// `git clean` would otherwise cost a quarter of an hour.
func cacheDir() (string, error) {
	dir := os.Getenv("OCTO_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cannot find a place for the binaries, set OCTO_CACHE: %w", err)
		}
		dir = filepath.Join(user, "octo-operator")
	}
	dir, err := filepath.Abs(filepath.Join(dir, "bin"))
	if err != nil {
		return "", fmt.Errorf("cannot find a place for the binaries, set OCTO_CACHE: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the cache of binaries, set OCTO_CACHE: %w", err)
	}
	return dir, nil
}

// version is read from the tool's .mod file, the only place that holds it.
func (t tool) version() (string, error) {
	file := "tools/" + t.mod + ".mod"
	data, err := modFiles.ReadFile(file)
	if err != nil {
		return "", err
	}
	mod, err := modfile.ParseLax(file, data, nil)
	if err != nil {
		return "", fmt.Errorf("cannot parse %s: %w", file, err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == t.module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("cannot find %s in %s", t.module, file)
}

func (t tool) ldflags(version string) string {
	flags := []string{"-s", "-w"}
	for _, variable := range t.stamp {
		flags = append(flags, "-X", variable+"="+version)
	}
	for _, pair := range t.stamps {
		flags = append(flags, "-X", pair)
	}
	return strings.Join(flags, " ")
}

// key names the tool's folder in the cache.
func (t tool) key() (string, error) {
	version, err := t.version()
	if err != nil {
		return "", err
	}
	mod, err := modFiles.ReadFile("tools/" + t.mod + ".mod")
	if err != nil {
		return "", err
	}
	sum, err := modFiles.ReadFile("tools/" + t.mod + ".sum")
	if err != nil {
		return "", err
	}
	return t.keyOf(version, mod, sum), nil
}

// keyOf changes with everything that goes into the binary but the Go version: a
// new Go must not cost a rebuild of a quarter of an hour. That is also why the modules in tools/ are still called
// octo-operator/devcluster/tools/…, without the dev/ that the folder has by now.
func (t tool) keyOf(version string, mod, sum []byte) string {
	hash := sha256.New()
	hash.Write(mod)
	hash.Write(sum)
	fmt.Fprintln(hash, t.pkg, t.ldflags(version), runtime.GOOS, t.goarch())
	return fmt.Sprintf("%s-%s-%s", t.name, version, hex.EncodeToString(hash.Sum(nil))[:10])
}

func (t tool) goarch() string { return cmp.Or(t.arch, runtime.GOARCH) }

func (t tool) path(cache string) (string, error) {
	key, err := t.key()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, key, t.name), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "devcluster: "+format+"\n", args...)
}
