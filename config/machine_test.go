package config

import (
	"testing"
	"testing/fstest"
)

// machines are the files with limits, by path, as in real containers and machines.
var machines = []struct {
	name  string
	files map[string]string
	want  Machine
}{
	{"nothing can be read", nil, Machine{0, 4}},
	{"v2, a container with its own view", map[string]string{
		"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/cpu.max": "50000 100000\n",
	}, Machine{512 * mebi, 0.5}},
	{"v2, no limits", map[string]string{
		"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n",
	}, Machine{0, 4}},
	{"v2, nested: the smallest on the way up binds", map[string]string{
		"proc/self/cgroup":                            "0::/kubepods/pod1/octo\n",
		"sys/fs/cgroup/kubepods/memory.max":           "8589934592",
		"sys/fs/cgroup/kubepods/pod1/memory.max":      "134217728",
		"sys/fs/cgroup/kubepods/pod1/octo/memory.max": "max",
		"sys/fs/cgroup/kubepods/pod2/memory.max":      "1",
		"sys/fs/cgroup/kubepods/pod1/cpu.max":         "150000 100000",
	}, Machine{128 * mebi, 1.5}},
	{"v1", map[string]string{
		"proc/self/cgroup":                            "4:memory:/\n2:cpu,cpuacct:/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":  "536870912\n",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  "200000",
		"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
	}, Machine{512 * mebi, 2}},
	{"v1, the path is the host's and the mount the container's", map[string]string{
		"proc/self/cgroup":                           "11:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n0::/docker/0123\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728",
		"sys/fs/cgroup/cpu/cpu.cfs_quota_us":         "50000",
		"sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000",
	}, Machine{128 * mebi, 0.5}},
	{"v1, no limits", map[string]string{
		"proc/self/cgroup":                           "4:memory:/\n1:cpu:/\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
		"sys/fs/cgroup/cpu/cpu.cfs_quota_us":         "-1",
		"sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000",
	}, Machine{0, 4}},
	{"v1 and v2 beside each other", map[string]string{
		"proc/self/cgroup": "4:memory:/job\n1:cpu:/\n0::/\n",
		"sys/fs/cgroup/memory/job/memory.limit_in_bytes": "536870912",
		"sys/fs/cgroup/unified/cgroup.procs":             "1",
	}, Machine{512 * mebi, 4}},
	{"more cores than the machine has", map[string]string{
		"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "3200000 100000",
	}, Machine{0, 4}},
	{"a path that climbs", map[string]string{
		"proc/self/cgroup": "0::/../../job\n", "sys/fs/cgroup/memory.max": "536870912",
	}, Machine{512 * mebi, 4}},
	{"rubbish", map[string]string{
		"proc/self/cgroup": "what\n0::/\n", "sys/fs/cgroup/memory.max": "-5", "sys/fs/cgroup/cpu.max": "50000",
	}, Machine{0, 4}},
}

func TestTheMachineIsWhatItsControlGroupLeaves(t *testing.T) {
	for _, test := range machines {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range test.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := readMachine(root, 4); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
