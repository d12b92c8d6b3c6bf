package handlers_test

import "fmt"

// What the cluster's own controllers make of a Deployment, StatefulSet or DaemonSet: its pods are ready at once, unless a test
// says what keeps them from it.

// sicken lets the pods of a workload's Deployment stay in a status, now and whenever it is applied. Nil: they become ready.
func (r *rig) sicken(workload string, podStatus object) {
	r.cluster.mu.Lock()
	defer r.cluster.mu.Unlock()
	path := deploymentPath(workload)
	if podStatus == nil {
		delete(r.cluster.sick, path)
	} else {
		r.cluster.sick[path] = podStatus
	}
	if o := r.cluster.objects[path]; o != nil {
		r.cluster.set(path, o, "kube-controller-manager")
	}
}

// waitsFor is the status of a pod whose container waits for this reason.
func waitsFor(reason, message string) object {
	return object{"phase": "Pending", "startTime": now(), "containerStatuses": []any{object{
		"name": "app", "ready": false, "state": object{"waiting": object{"reason": reason, "message": message}},
	}}}
}

// control sets what the controllers set of an object that is being stored. k.mu is held.
func (k *cluster) control(path string, o, old object) {
	if o["apiVersion"] != "apps/v1" || o["kind"] == "ReplicaSet" {
		return
	}
	generation := 1.0
	if old != nil {
		generation, _ = section(old, "metadata")["generation"].(float64)
		if asJSON(old["spec"]) != asJSON(o["spec"]) {
			generation++
		}
	}
	section(o, "metadata")["generation"] = generation
	want := 1.0
	if n, ok := section(o, "spec")["replicas"].(float64); ok {
		want = n
	}
	sick, ready := k.sick[path], want
	if sick != nil {
		ready = 0
	}
	o["status"] = object{
		"observedGeneration": generation, "replicas": want, "updatedReplicas": want, "readyReplicas": ready, "availableReplicas": ready,
		"currentReplicas": want, "desiredNumberScheduled": want, "currentNumberScheduled": want, "updatedNumberScheduled": want,
		"numberAvailable": ready, "numberReady": ready,
		"conditions": []any{
			object{"type": "Available", "status": truth(sick == nil)},
			object{"type": "Progressing", "status": "True", "reason": map[bool]string{true: "NewReplicaSetAvailable", false: "ReplicaSetUpdated"}[sick == nil]},
		},
	}
	k.makePods(o, sick)
}

func truth(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// makePods makes those that are worth looking at: one that is not ready, and the ReplicaSet that has made it.
func (k *cluster) makePods(owner, sick object) {
	meta := section(owner, "metadata")
	template := section(section(owner, "spec"), "template")
	made := func(apiVersion, kind string, by object) object {
		name := fmt.Sprint(section(by, "metadata")["name"], "-x")
		return object{
			"apiVersion": apiVersion, "kind": kind,
			"metadata": object{
				"name": name, "namespace": meta["namespace"], "labels": section(section(template, "metadata"), "labels"), "uid": "uid-" + name,
				"ownerReferences": []any{object{"kind": by["kind"], "name": section(by, "metadata")["name"], "uid": section(by, "metadata")["uid"], "controller": true}},
			},
		}
	}
	set := made("apps/v1", "ReplicaSet", owner)
	pod := made("v1", "Pod", set)
	if sick == nil {
		k.drop(pathOf(set))
		k.drop(pathOf(pod))
		return
	}
	set["spec"] = object{"replicas": section(owner, "spec")["replicas"], "template": template, "selector": section(owner, "spec")["selector"]}
	section(set, "metadata")["annotations"] = object{"deployment.kubernetes.io/revision": "1"}
	pod["status"] = sick
	k.set(pathOf(set), set, "kube-controller-manager")
	k.set(pathOf(pod), pod, "kubelet")
}
