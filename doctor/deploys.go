package doctor

import (
	"slices"

	"octo-operator/hub"
)

// deploy is one of the last deploys that have a run directory.
type deploy struct {
	event hub.Event
	hub.WorkloadDeployed
}

// mostRuns is how many of the newest runs are looked through.
const mostRuns = 200

// lastDeploys reads the events of the last deploys, the newest first. Events that cannot be read are left out.
func (x *examination) lastDeploys() (all []deploy) {
	if !x.hasState {
		return nil
	}
	runs, _ := x.runs.List()
	slices.Reverse(runs)
	for _, run := range runs[:min(len(runs), mostRuns)] {
		event, err := run.Event()
		if err != nil || event.Callback != hub.WorkloadDeployedCallback {
			continue
		}
		if w, err := hub.Decode[hub.WorkloadDeployed](event.Argument); err == nil {
			all = append(all, deploy{event, w})
		}
	}
	return all
}
