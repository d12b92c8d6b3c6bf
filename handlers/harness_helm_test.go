package handlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"octo-operator/handlers/release"
)

// helm does what the real one does, as far as the operator can see it: revisions are Secrets, the objects of a release are
// applied by the manager helm, a SIGTERM lets it roll back, a SIGKILL leaves its revision pending.
func (r *rig) helm(c *call) int {
	switch c.word(0) {
	case "version":
		c.print("%s\n", r.helmVersion)
		return 0
	case "repo":
		return 0
	case "pull":
		return r.helmPull(c)
	}
	if r.cluster.isAway() {
		return c.fail("Kubernetes cluster unreachable: Get \"https://127.0.0.1:6443/version\": %s", refused)
	}
	switch c.word(0) {
	case "upgrade", "template":
		return r.helmUpgrade(c)
	case "uninstall":
		return r.helmUninstall(c)
	case "get":
		return r.helmGet(c)
	case "rollback":
		return r.helmRollback(c)
	}
	return c.fail("the fake helm cannot %s", strings.Join(c.args, " "))
}

func (r *rig) helmPull(c *call) int {
	name, version := c.word(1), c.flag("version")
	if archive, ok := strings.CutSuffix(path.Base(name), ".tgz"); ok { // an address
		name, version, _ = strings.Cut(archive, "-")
	}
	content, version := r.charts.get(name, version)
	if content == nil {
		return c.fail("chart %q version %q not found in %s repository", path.Base(c.word(1)), c.flag("version"), c.flag("repo"))
	}
	to := filepath.Join(c.path(c.flag("destination")), path.Base(c.word(1))+"-"+version+".tgz")
	if err := os.WriteFile(to, content, 0o644); err != nil {
		return c.fail("%s", err)
	}
	return 0
}

// helmUpgrade is upgrade --install, its dry run, and template.
func (r *rig) helmUpgrade(c *call) int {
	archive, err := os.ReadFile(c.path(c.word(2)))
	if err != nil {
		return c.fail("%s", err)
	}
	meta, values, err := chartOf(archive)
	if err != nil {
		return c.fail("cannot load the chart: %s", err)
	}
	user, err := userValues(c)
	if err != nil {
		return c.fail("cannot read the values: %s", err)
	}
	mergePatch(values, clone(user))
	next := revision{
		Name: c.word(1), Namespace: c.namespace(), Labels: pairs(c.flag("labels")), Status: "pending-install",
		Content: content{Chart: meta.Name, Version: meta.Version, Values: user, Objects: r.render(c.word(1), c.namespace(), values)},
	}
	if c.dry() || c.word(0) == "template" {
		c.print("%s", manifests(next.Content.Objects))
		return 0
	}
	all := r.cluster.revisions(next.Namespace, next.Name)
	last := newest(all)
	next.Number = last.Number + 1
	for key, value := range last.Labels { // handed down
		if _, set := next.Labels[key]; !set {
			next.Labels[key] = value
		}
	}
	switch {
	case strings.HasPrefix(last.Status, "pending-"):
		return c.fail("UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress")
	case last.Status == "uninstalling":
		return c.fail("UPGRADE FAILED: %q has no deployed releases", next.Name)
	case len(all) > 0:
		next.Status = "pending-upgrade"
	}
	next.Content.ApplyMethod = r.applyMethod(last)
	if next.Content.ApplyMethod == "csa" && c.has("force-conflicts") {
		return c.fail("UPGRADE FAILED: %s", noForce)
	}
	r.cluster.putRevision(next)
	return r.helmFinish(c, next, all)
}

// applyMethod is how helm applies a release whose newest revision is last: helm 4 goes on as helm 3 has begun.
func (r *rig) applyMethod(last revision) string {
	switch {
	case strings.HasPrefix(r.helmVersion, "v3"):
		return ""
	case last.Number > 0 && last.Content.ApplyMethod != "ssa":
		return "csa"
	}
	return "ssa"
}

const noForce = "invalid client update option(s): forceConflicts enabled when serverSideApply disabled"

func userValues(c *call) (object, error) {
	values := object{}
	for _, file := range c.flags["values"] {
		text, err := os.ReadFile(c.path(file))
		if err != nil {
			return nil, err
		}
		var more object
		if err := yaml.Unmarshal(text, &more); err != nil {
			return nil, err
		}
		mergePatch(values, more)
	}
	return values, nil
}

// helmFinish waits until the release may be ready, if the test has said so, and brings the pending revision to its end.
func (r *rig) helmFinish(c *call, next revision, all []revision) int {
	failure := ""
	for _, o := range next.Content.Objects {
		onClient := next.Content.ApplyMethod != "ssa" // nothing conflicts there
		if s := r.applyAs(o, "helm", c.has("force-conflicts") || onClient); s != nil {
			failure = s.message
			break
		}
	}
	if failure == "" {
		failure = r.waitReady(c)
	}
	if failure == died {
		return killed
	}
	if failure == "" {
		for _, v := range all {
			if v.Status == "deployed" {
				v.Status = "superseded"
				r.cluster.putRevision(v)
			}
		}
		r.removeObjects(newest(all).Content.Objects, next.Content.Objects)
		next.Status = "deployed"
		r.cluster.putRevision(next)
		return 0
	}
	next.Status, next.Content.Description = "failed", failure
	r.cluster.putRevision(next)
	if c.has("rollback-on-failure") || c.has("atomic") {
		r.rollBack(next, all, "")
	}
	return c.fail("UPGRADE FAILED: release %s failed: %s", next.Name, failure)
}

// waitReady is the time that helm waits for the pods, which is none unless a test holds it.
func (r *rig) waitReady(c *call) (failure string) {
	h := r.holder(c)
	if h == nil {
		return ""
	}
	close(h.reached)
	select {
	case <-h.released:
		return h.failure
	case <-c.term:
		return "context canceled"
	case <-c.gone:
		return died
	}
}

// died is what nobody says of a helm that was killed.
const died = "killed"

// rollBack brings back a revision; without a number the last one that was deployed, or nothing.
func (r *rig) rollBack(failed revision, all []revision, number string) {
	good := slices.DeleteFunc(slices.Clone(all), func(v revision) bool {
		return number == "" && v.Status != "deployed" || number != "" && strconv.Itoa(v.Number) != number
	})
	if len(good) == 0 {
		r.removeObjects(failed.Content.Objects, nil)
		r.cluster.remove(failed.path())
		return
	}
	old := newest(good)
	for _, o := range old.Content.Objects {
		r.applyAs(o, "helm", true)
	}
	r.removeObjects(failed.Content.Objects, old.Content.Objects)
	again := old
	again.Number, again.Content.Description = failed.Number+1, fmt.Sprintf("Rollback to %d", old.Number)
	for _, v := range all {
		if v.Status == "deployed" {
			v.Status = "superseded"
			r.cluster.putRevision(v)
		}
	}
	again.Status = "deployed"
	r.cluster.putRevision(again)
}

func (r *rig) helmRollback(c *call) int {
	all := r.cluster.revisions(c.namespace(), c.word(1))
	last := newest(all)
	if last.Number == 0 {
		return c.fail("release: not found")
	}
	if c.word(2) != "" && !slices.ContainsFunc(all, func(v revision) bool { return strconv.Itoa(v.Number) == c.word(2) }) {
		return c.fail("release has no %s version", c.word(2))
	}
	if r.applyMethod(last) == "csa" && c.has("force-conflicts") {
		return c.fail("%s", noForce)
	}
	r.rollBack(last, all, c.word(2))
	return 0
}

// removeObjects deletes those that are not among the ones to keep.
func (r *rig) removeObjects(objects, keep []object) {
	for _, o := range objects {
		if !slices.ContainsFunc(keep, func(k object) bool { return pathOf(k) == pathOf(o) }) {
			r.cluster.remove(pathOf(o))
		}
	}
}

func (r *rig) applyAs(o object, who string, force bool) *status {
	if who == "helm" {
		o = ofHelm(o)
	}
	_, s := r.cluster.request("PATCH", fmt.Sprintf("%s?fieldManager=%s&force=%v", pathOf(o), who, force), "application/apply-patch+yaml", o)
	return s
}

// ofHelm is an object with what helm adds to it. Its release has the object's name, or that is the beginning of it.
func ofHelm(o object) object {
	marked := clone(o)
	release := releasePart.FindString(fmt.Sprint(section(o, "metadata")["name"]))
	meta := section(marked, "metadata")
	for key, values := range map[string]object{
		"labels":      {"app.kubernetes.io/managed-by": "Helm"},
		"annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": meta["namespace"]},
	} {
		all := object{}
		maps.Copy(all, section(meta, key))
		maps.Copy(all, values)
		meta[key] = all
	}
	return marked
}

var releasePart = regexp.MustCompile(`^.*[0-9a-f]{24}`)

func (r *rig) helmUninstall(c *call) int {
	all := r.cluster.revisions(c.namespace(), c.word(1))
	if len(all) == 0 {
		if c.has("ignore-not-found") {
			return 0
		}
		return c.fail("uninstall: Release not loaded: %s: release: not found", c.word(1))
	}
	last := newest(all)
	last.Status = "uninstalling"
	r.cluster.putRevision(last)
	if failure := r.waitReady(c); failure != "" {
		if failure == died {
			return killed
		}
		return c.fail("%s", failure)
	}
	for _, v := range all {
		r.removeObjects(v.Content.Objects, nil)
		r.cluster.remove(v.path())
	}
	c.print("release %q uninstalled\n", c.word(1))
	return 0
}

func (r *rig) helmGet(c *call) int {
	last := newest(r.cluster.revisions(c.namespace(), c.word(2)))
	if last.Number == 0 {
		return c.fail("release: not found")
	}
	switch c.word(1) {
	case "values":
		c.print("%s\n", asJSON(last.Content.Values))
	case "metadata":
		c.print("%s\n", asJSON(object{
			"name": last.Name, "namespace": last.Namespace, "chart": last.Content.Chart, "version": last.Content.Version,
			"status": last.Status, "revision": last.Number, "labels": last.Labels, "applyMethod": last.Content.ApplyMethod,
		}))
	case "manifest":
		c.print("%s", manifests(last.Content.Objects))
	default:
		return c.fail("the fake helm cannot get %s", c.word(1))
	}
	return 0
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// look is octo-operator look, which the script runs on a file, and helm on what it has rendered.
func (c *call) look(file string) int {
	if err := release.Look(c.env, file); err != nil {
		c.say("octo-operator: %s", err)
		return 1
	}
	return 0
}

func manifests(objects []object) string {
	var all strings.Builder
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			panic(err)
		}
		all.WriteString("---\n" + string(text))
	}
	return all.String()
}

// pairs reads "a=b,c=d".
func pairs(text string) map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			all[key] = value
		}
	}
	return all
}

// renderDemo is what the demo chart makes of its values: one Deployment.
func renderDemo(release, namespace string, values object) []object {
	labels := object{"app.kubernetes.io/instance": release}
	image, _ := values["image"].(object)
	return []object{clone(object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"name": release, "namespace": namespace, "labels": maps.Clone(labels)},
		"spec": object{
			"replicas": values["replicaCount"],
			"selector": object{"matchLabels": maps.Clone(labels)},
			"template": object{
				"metadata": object{"labels": maps.Clone(labels)},
				"spec": object{"containers": []any{object{
					"name": "app", "image": fmt.Sprint(image["repository"], ":", image["tag"]),
				}}},
			},
		},
	})}
}
