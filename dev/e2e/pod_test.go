package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pod is a pod as the API server has admitted it: of a chart's Deployment, with what controllers and admission have added. There is no
// kubelet here; the functions below do what it would do with this pod's only container.
type pod struct {
	Metadata struct{ Name, Namespace, UID string }
	Spec     struct {
		ServiceAccountName            string
		TerminationGracePeriodSeconds int
		SecurityContext               struct{ RunAsUser, RunAsGroup, FSGroup int }
		Containers                    []container
		Volumes                       []volume
	}
}

type container struct {
	EnvFrom []struct{ ConfigMapRef, SecretRef *struct{ Name string } }
	Env     []struct {
		Name, Value string
		ValueFrom   *struct {
			SecretKeyRef, ConfigMapKeyRef *struct{ Name, Key string }
			FieldRef                      *struct{ FieldPath string }
		}
	}
	Ports []struct {
		Name          string
		ContainerPort int
	}
	LivenessProbe, ReadinessProbe struct {
		HTTPGet struct{ Path, Port string }
	}
	SecurityContext struct {
		ReadOnlyRootFilesystem, AllowPrivilegeEscalation bool
		Capabilities                                     struct{ Drop []string }
	}
	VolumeMounts []struct{ Name, MountPath string }
}

type volume struct {
	Name      string
	EmptyDir  *struct{}
	Secret    *files
	Projected *struct {
		Sources []struct {
			Secret, ConfigMap   *files
			ServiceAccountToken *struct{ Path string }
			DownwardAPI         *struct {
				Items []struct {
					Path     string
					FieldRef struct{ FieldPath string }
				}
			}
		}
	}
}

// files are keys of a Secret or a ConfigMap, as files. Without items they are all keys, each under its own name.
type files struct {
	SecretName, Name string
	Items            []struct{ Key, Path string }
}

// admittedPod waits for the only pod of a Deployment.
func (w *world) admittedPod(deployment string) pod {
	w.Helper()
	var pods struct{ Items []pod }
	there := func() bool {
		selector := w.kubectl("get", "deployment", deployment, "--output", `go-template={{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}`)
		w.must(json.Unmarshal([]byte(w.kubectl("get", "pods", "--selector", strings.TrimSuffix(selector, ","), "--output", "json")), &pods))
		return len(pods.Items) == 1
	}
	if !w.eventually(there) {
		w.Fatalf("the Deployment %s has %d pods:\n%s", deployment, len(pods.Items), w.kubectl("get", "events"))
	}
	return pods.Items[0]
}

// data returns the content of a Secret or a ConfigMap.
func (w *world) data(kind, name string) map[string]string {
	w.Helper()
	var object struct{ Data map[string]string }
	w.must(json.Unmarshal([]byte(w.kubectl("get", kind, name, "--output", "json")), &object))
	if kind != "secret" {
		return object.Data
	}
	for key, value := range object.Data {
		plain, err := base64.StdEncoding.DecodeString(value)
		w.must(err)
		object.Data[key] = string(plain)
	}
	return object.Data
}

// environmentOf returns a container's environment, with the variables of the image and the kubelet.
func (w *world) environmentOf(p pod) map[string]string {
	w.Helper()
	all := map[string]string{
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME": "/var/lib/octo-operator", // the image's ENV
	}
	server := w.kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}")
	all["KUBERNETES_SERVICE_HOST"], all["KUBERNETES_SERVICE_PORT"], _ = strings.Cut(strings.TrimPrefix(server, "https://"), ":")
	maps.Copy(all, w.settingsOf(p))
	return all
}

// settingsOf returns the container's variables: those of envFrom, overridden by env.
func (w *world) settingsOf(p pod) map[string]string {
	w.Helper()
	all := map[string]string{}
	c := p.Spec.Containers[0]
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			maps.Copy(all, w.data("configmap", from.ConfigMapRef.Name))
		}
		if from.SecretRef != nil {
			maps.Copy(all, w.data("secret", from.SecretRef.Name))
		}
	}
	for _, env := range c.Env {
		value := env.Value
		if from := env.ValueFrom; from != nil && from.SecretKeyRef != nil {
			value = w.key("secret", from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		} else if from != nil && from.ConfigMapKeyRef != nil {
			value = w.key("configmap", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
		} else if from != nil {
			value = w.field(p, from.FieldRef.FieldPath)
		}
		all[env.Name] = value
	}
	return all
}

func (w *world) key(kind, name, key string) string {
	w.Helper()
	value, ok := w.data(kind, name)[key]
	if !ok {
		w.Fatalf("the %s %s has no key %s: the kubelet would not start the container", kind, name, key)
	}
	return value
}

func (w *world) field(p pod, path string) string {
	w.Helper()
	return w.kubectl("get", "pod", p.Metadata.Name, "--output", "jsonpath={."+path+"}")
}

// inPod makes the operator start like the pod's container: with exactly its environment, its user, its volumes, its root file system and
// its service account.
func (w *world) inPod(p pod) {
	w.Helper()
	w.container = nil
	environment := w.environmentOf(p)
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		w.container = append(w.container, name+"="+environment[name])
	}
	dir := w.TempDir()
	mounts := filepath.Join(dir, "mounts")
	var lines strings.Builder
	for _, mount := range p.Spec.Containers[0].VolumeMounts {
		source := w.makeVolume(p, mount.Name, filepath.Join(dir, mount.Name))
		fmt.Fprintln(&lines, source, mount.MountPath)
		if mount.Name == "state" {
			w.stateDir = source
		}
	}
	for _, tool := range []string{"helm", "kubectl"} {
		path, err := osexec.LookPath(tool)
		w.must(err)
		path, err = filepath.EvalSymlinks(path)
		w.must(err)
		fmt.Fprintln(&lines, path, "/usr/local/bin/"+tool)
	}
	w.program = "/usr/local/bin/octo-operator"
	fmt.Fprintln(&lines, operatorBinary, w.program)
	w.must(os.WriteFile(mounts, []byte(lines.String()), 0o600))
	root := filepath.Join(dir, "root")
	w.must(os.Mkdir(root, 0o755))

	unshare := []string{"/usr/bin/unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	w.wrap = append(unshare, "sh", "-c", containerScript, root, mounts, fmt.Sprint(p.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem))
	w.wrap = append(w.wrap, asUser(p)...)
}

// asUser is the command that drops all rights that the container does not have. If the test is not run by root, the user stays the same,
// but has no special rights either.
func asUser(p pod) []string {
	context := p.Spec.Containers[0].SecurityContext
	line := []string{"/usr/bin/setpriv"}
	if !context.AllowPrivilegeEscalation {
		line = append(line, "--no-new-privs")
	}
	if slices.Contains(context.Capabilities.Drop, "ALL") {
		line = append(line, "--inh-caps=-all", "--bounding-set=-all")
	}
	if user := p.Spec.SecurityContext; os.Geteuid() == 0 {
		line = append(line, fmt.Sprintf("--reuid=%d", user.RunAsUser), fmt.Sprintf("--regid=%d", user.RunAsGroup), fmt.Sprintf("--groups=%d", user.FSGroup))
	}
	return line
}

// containerScript creates a root file system with the programs of this machine and the pod's volumes, and runs a command in it. $0 is the
// root, $1 the file with the mounts, $2 whether the root is read-only; the command follows.
const containerScript = `set -eu
root=$0 mounts=$1 readonly=$2
shift 2
mount -t tmpfs none "$root"
for dir in bin sbin lib lib32 lib64 usr etc proc dev; do
    if [ -L "/$dir" ]; then
        cp -P "/$dir" "$root/"
    elif [ -d "/$dir" ]; then
        mkdir "$root/$dir"
        mount --rbind "/$dir" "$root/$dir"
    fi
done
mount -t tmpfs none "$root/usr/local/bin"
while read -r from to; do
    if [ -d "$from" ]; then mkdir -p "$root$to"; else : >"$root$to"; fi
    mount --bind "$from" "$root$to"
done <"$mounts"
for made in "$root/usr" "$root/etc" "$root/usr/local/bin"; do mount -o remount,ro,bind "$made"; done
[ "$readonly" = false ] || mount -o remount,ro "$root"
exec chroot "$root" "$@"`

// makeVolume creates a pod's volume as a directory.
func (w *world) makeVolume(p pod, name, dir string) string {
	w.Helper()
	at := slices.IndexFunc(p.Spec.Volumes, func(v volume) bool { return v.Name == name })
	if at < 0 {
		w.Fatalf("the pod has no volume %s", name)
	}
	w.must(os.Mkdir(dir, 0o755))
	v := p.Spec.Volumes[at]
	switch {
	case v.EmptyDir != nil:
		w.must(os.Chmod(dir, 0o777))
	case v.Secret != nil:
		w.makeFiles(p, dir, "secret", v.Secret.SecretName, v.Secret)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			switch {
			case source.ConfigMap != nil:
				w.makeFiles(p, dir, "configmap", source.ConfigMap.Name, source.ConfigMap)
			case source.ServiceAccountToken != nil:
				token := w.kubectl("create", "token", p.Spec.ServiceAccountName, "--bound-object-kind=Pod",
					"--bound-object-name="+p.Metadata.Name, "--bound-object-uid="+p.Metadata.UID)
				w.makeFile(p, filepath.Join(dir, source.ServiceAccountToken.Path), token)
			case source.DownwardAPI != nil:
				for _, item := range source.DownwardAPI.Items {
					w.makeFile(p, filepath.Join(dir, item.Path), w.field(p, item.FieldRef.FieldPath))
				}
			}
		}
	default:
		w.Fatalf("nobody here knows how to make the volume %s", name)
	}
	return dir
}

func (w *world) makeFiles(p pod, dir, kind, name string, f *files) {
	w.Helper()
	data := w.data(kind, name)
	for _, item := range f.Items {
		w.makeFile(p, filepath.Join(dir, item.Path), data[item.Key])
	}
	if len(f.Items) == 0 {
		for key, value := range data {
			w.makeFile(p, filepath.Join(dir, key), value)
		}
	}
}

// makeFile creates a file that root and the pod's fsGroup may read, as the kubelet does.
func (w *world) makeFile(p pod, path, text string) {
	w.Helper()
	w.must(os.WriteFile(path, []byte(text), 0o440))
	if os.Geteuid() == 0 {
		w.must(os.Chown(path, 0, p.Spec.SecurityContext.FSGroup))
	}
}
