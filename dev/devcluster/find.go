package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// buildAllVariable, set to anything, turns the search off: every tool is built from its pinned source.
const buildAllVariable = "OCTO_BUILD_TOOLS"

// answerLimit is how long a binary may take to tell its version. The slowest, kube-apiserver, takes 0.1 s.
const answerLimit = 10 * time.Second

// searchFolders returns the folders in which binaries of the pinned versions may be, in this order. Relative ones are not searched,
// because they depend on the folder in which devcluster is started.
func searchFolders() (folders []string) {
	if os.Getenv(buildAllVariable) != "" {
		return nil
	}
	for _, list := range []string{os.Getenv("KUBEBUILDER_ASSETS"), os.Getenv("PATH"), "/usr/local/kubebuilder/bin"} {
		for _, folder := range filepath.SplitList(list) {
			if filepath.IsAbs(folder) {
				folders = append(folders, folder)
			}
		}
	}
	return folders
}

// locate finds the tools that the cache lacks: on this machine in exactly the pinned version, or they are missing. found also has tools
// that are not wanted, for OCTO_HELM3. It is called at every start, because an installed binary may have another version tomorrow.
func locate(ctx context.Context, cache string, wanted []tool) (found map[string]string, missing []tool, err error) {
	found, folders := map[string]string{}, searchFolders()
	for _, t := range allTools {
		built, err := t.path(cache)
		if err != nil {
			return nil, nil, err
		}
		if isFile(built) {
			continue
		}
		version, err := t.version()
		if err != nil {
			return nil, nil, err
		}
		path, refused := t.find(ctx, version, folders)
		if path != "" {
			found[t.name] = path
		}
		if !contains(wanted, t.name) {
			continue
		}
		if path == "" {
			missing = append(missing, t)
		}
		if os.Getenv("OCTO_TOOLS") == "" { // otherwise the devcluster around this one has printed it
			t.sayFound(version, path, refused)
		}
	}
	return found, missing, nil
}

func (t tool) sayFound(version, path string, refused []string) {
	for _, why := range refused {
		progress("not used for %s: %s", t.name, why)
	}
	if path != "" {
		progress("using %s %s: %s", t.name, version, path)
	}
}

// find looks for a binary of exactly this version. refused says, for each other binary that it has found, why it cannot be used.
func (t tool) find(ctx context.Context, version string, folders []string) (path string, refused []string) {
	seen := map[string]bool{} // /bin is often a link to /usr/bin
	for _, folder := range folders {
		for _, name := range t.binaryNames() {
			path := filepath.Join(folder, name)
			file, err := filepath.EvalSymlinks(path)
			if err != nil || !isFile(file) || seen[file] {
				continue
			}
			seen[file] = true
			switch has, err := askVersion(ctx, path, t.ask); {
			case err != nil:
				refused = append(refused, fmt.Sprintf("%s does not tell its version: %v", path, err))
			case has != version:
				refused = append(refused, fmt.Sprintf("%s is %s, not %s", path, has, version))
			default:
				return path, refused
			}
		}
	}
	return "", refused
}

// binaryNames returns the names under which the tool is usually installed.
func (t tool) binaryNames() []string {
	if strings.HasPrefix(t.name, "helm") {
		return []string{t.name, "helm"}
	}
	return []string{t.name}
}

var versionWord = regexp.MustCompile(`(?m)(?:^|\s)v?(\d+\.\d+\.\d+\S*)`)

// askVersion runs a binary and returns the first version in its output, with a v in front, which etcd does not print.
func askVersion(ctx context.Context, path string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second // a child of the binary may keep the pipe open
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", fmt.Errorf("no answer within %s", answerLimit)
	}
	if err != nil {
		return "", err
	}
	word := versionWord.FindSubmatch(out)
	if word == nil {
		return "", errors.New("there is none in what it prints")
	}
	return "v" + string(word[1]), nil
}
