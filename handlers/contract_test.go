package handlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/hub"
	"octo-operator/scripts"
)

// telling makes each step's script an own one that notes the names of its variables in a directory, and then runs the default.
func telling(r *rig) (notes string) {
	own, notes := tempDir(r.T), tempDir(r.T)
	for _, step := range scripts.Names() {
		script := fmt.Sprintf("#!/bin/sh\nset -eu\nenv | sed -n 's/^\\([A-Za-z_0-9]*\\)=.*/\\1/p' >'%s/%s'\nexec \"$(dirname \"$OCTO_LIB\")/%s\"\n", notes, step, step)
		r.must(os.WriteFile(filepath.Join(own, step), []byte(script), 0o700))
	}
	r.settings["SCRIPTSDIR"] = own
	return notes
}

// Whoever writes a script relies on the list, and so does octo-operator scripts lint.
func TestEachScriptGetsExactlyTheVariablesOfTheContract(t *testing.T) {
	var notes string
	r := newRig(t, central, users, func(r *rig) { notes = telling(r) })
	pool := hub.Pool{TenantID: tenant, PoolRtID: poolID}
	r.succeed(r.run(event(hub.PoolDeployed, pool)))
	r.deploy("shop", keys("planted-1", "planted-3"))
	r.deploy("shop", keys("planted-2", "planted-3")) // restarts
	killed, deploy := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "2")))
	killed.die()
	deploy.result() // is taken back
	r.pending("cafe", "pending-install", time.Hour)
	r.deploy("cafe") // recovers
	r.succeed(r.run(scaleEvent("shop", 2)))
	r.succeed(r.run(undeployEvent("shop")))
	r.run(tenantEvent(tenant))
	r.succeed(r.run(event(hub.PoolUndeployed, pool)))
	for _, step := range scripts.Names() {
		text, err := os.ReadFile(filepath.Join(notes, step))
		if err != nil {
			t.Errorf("%s has not run: %v", step, err)
			continue
		}
		var inputs []string
		for name := range strings.FieldsSeq(string(text)) {
			switch {
			case slices.Contains(scripts.Environment(), name), slices.Contains([]string{"PWD", "OLDPWD", "SHLVL", "_"}, name): // the shell's own
			case strings.HasPrefix(name, "OCTO_"):
				inputs = append(inputs, name)
			default:
				t.Errorf("%s gets %s", step, name)
			}
		}
		slices.Sort(inputs)
		if want := scripts.Variables(step); !slices.Equal(inputs, want) {
			t.Errorf("%s gets\n%q, the contract says\n%q", step, inputs, want)
		}
	}
}
