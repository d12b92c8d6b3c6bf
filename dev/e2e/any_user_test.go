package e2e

import (
	"os"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// likeAPod starts the operator like a pod of the official chart with runAsUser 1000: as a user without an entry in /etc/passwd, who may
// not enter the working directory and HOME, which are the image's. /dev/shm is as container runtimes make it.
const likeAPod = `
program=$1 root=$2 user=$3 dir=/mnt
mount -t tmpfs -o mode=755 none $dir
mkdir -m 755 $dir/bin
for file in "$program" "$(command -v helm)" "$(command -v kubectl)"; do
    touch "$dir/bin/${file##*/}"
    mount --bind "$(readlink -f "$file")" "$dir/bin/${file##*/}"
done
install -m 644 "$KUBECONFIG" $dir/kubeconfig
mkdir -m 0 $dir/home
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=64m none /dev/shm
if [ "$root" = read-only ]; then mount -o remount,bind,ro /; else mount -t tmpfs -o mode=1777 none /tmp; fi
cd $dir/home
export PATH=$dir/bin:/usr/bin:/bin KUBECONFIG=$dir/kubeconfig HOME=$dir/home
exec $user octo-operator`

func (w *world) runLikeAPod(root string) {
	unshare, user := []string{"unshare", "--mount"}, "setpriv --reuid 1000 --regid 1000 --clear-groups"
	if os.Geteuid() != 0 {
		unshare, user = append(unshare, "--map-root-user"), "" // this user is not root: it is another user already
	}
	w.wrap = append(unshare, "sh", "-euc", strings.NewReplacer("$2", root, "$3", "'"+user+"'").Replace(likeAPod), "sh")
}

func TestAnyUserCanRunItWithoutAVolume(t *testing.T) {
	t.Parallel()
	for root, state := range map[string]string{"writable": "/tmp/octo-operator", "read-only": "/dev/shm/octo-operator"} {
		t.Run(root+" root", func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.runLikeAPod(root)
			w.stateDir = state
			w.env = []string{"OPERATOR__STATEDIR="}
			w.start()
			w.waitForLog(1, "the state is kept elsewhere than usual", map[string]string{"dir": state, "level": "WARN"})
			w.deployPool()
			app := w.workload("Shop", appRtID)
			app.Values = secret("new")
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			app.Hibernated = true // makes the deploy's script run the one that scales
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			if replicas := w.kubectl("get", "deployment", "acme-"+appRtID, "-o", "jsonpath={.spec.replicas}"); replicas != "0" {
				t.Errorf("%s replicas", replicas)
			}
			w.must(w.controller.Undeploy(w.ctx, app))
			if !w.eventually(func() bool { return w.helm("list", "--short") == "" }) {
				t.Error("the release is not undeployed")
			}
		})
	}
}
