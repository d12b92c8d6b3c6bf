package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/page"
)

// statusPage returns the functions by which the status page gets its data. They may be called at any time, also while the state directory
// cannot be used yet.
func (d *daemon) statusPage() page.Source {
	return page.Source{
		Now: d.now,
		Runs: func() (*runs.Store, error) {
			if h := d.handlers.Load(); h != nil {
				return h.Runs(), nil
			}
			return nil, errors.New("the state directory cannot be used yet: the log says why")
		},
		Values: func(_ context.Context, run *runs.Run) ([]page.Value, error) { return d.valuesOf(run) },
	}
}

// now returns what the status page shows in its head, and as unfinished events and pools.
func (d *daemon) now() page.Now {
	now := page.Now{Version: version, Controller: d.settings.ControllerURI, Connected: d.client.Connected(), Trouble: d.trouble()}
	if now.Connected {
		now.Generation = d.client.Generation().String()
	}
	now.Leads, now.Leader = d.leads()
	h := d.handlers.Load()
	if h == nil {
		return now
	}
	for _, w := range h.Work() {
		now.Work = append(now.Work, page.Work{
			ID: w.ID, Short: h.Runs().Run(w.ID).ShortID(), Came: w.Came, Since: w.Since, Phase: w.Phase, Wait: w.Wait, Text: w.Text, Until: w.Until,
			Callback: w.Callback, Tenant: w.Tenant, Workload: w.Workload, Release: w.Release,
		})
	}
	for _, p := range h.Pools() {
		now.Pools = append(now.Pools, poolOf(p))
	}
	return now
}

// trouble says why the operator cannot work, as /health/ready says inside the pod; "": it can. That another operator leads is not
// trouble.
func (d *daemon) trouble() string {
	told := d.readiness.tell()
	trouble := errors.Join(told.Unable, told.Trouble)
	if trouble == nil {
		return ""
	}
	lines := strings.Split(trouble.Error(), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, standingBy) }), "\n")
}

func poolOf(p kube.Pool) page.Pool {
	shown := page.Pool{Tenant: p.TenantID, ID: names.HubPool(p).ID(), Status: p.Status, Object: fmt.Sprintf("%s %s/%s", p.Kind, p.Namespace, p.Name)}
	if p.Deleting {
		shown.Status = "Being deleted"
	}
	return shown
}

func (d *daemon) valuesOf(run *runs.Run) ([]page.Value, error) {
	h := d.handlers.Load()
	if h == nil {
		return nil, errors.New("the state directory cannot be used yet")
	}
	found, err := h.RunValues(run)
	values := make([]page.Value, len(found))
	for i, v := range found {
		values[i] = page.Value{Path: v.Path, Value: inJSON(v.Value), Type: v.Type, Layer: v.Layer, Notes: notesOn(v), Warning: warningOf(v)}
	}
	return values, err
}

// warningOf says what is most likely wrong with a value; "": nothing is.
func warningOf(v handlers.RunValue) string {
	if v.Unknown == "" {
		return ""
	}
	return fmt.Sprintf("the chart knows no %s: is it misspelled?", v.Unknown)
}

// notesOn says what a value has replaced, how it got its type, and whether the settings of today would give another one.
func notesOn(v handlers.RunValue) (notes []string) {
	if c := v.Coerced; c != nil && c.Failed {
		notes = append(notes, fmt.Sprintf("stays text, as no %s: %s", c.To, c.Because))
	} else if c != nil {
		notes = append(notes, fmt.Sprintf("from the text %s: %s", inJSON(c.Text), c.Because))
	}
	for _, r := range v.Replaced {
		before := inJSON(r.Value)
		if r.Masked {
			before = "something masked, because a secret was set here"
		}
		notes = append(notes, fmt.Sprintf("instead of %s from %s", before, r.Layer))
	}
	if v.Today != nil {
		notes = append(notes, "with the settings of today it would be "+inJSON(v.Today))
	}
	return notes
}

func inJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
