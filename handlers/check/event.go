package check

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"octo-operator/bounds"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// Every field of an event is looked at here, once, before the event is kept and before its lane is chosen: a tenant may have typed any
// of them. Behind this wall an id is an id, a name has a limited length, and nothing can be taken for a flag, a label, a path or a line
// of the log. Whether there is a chart of that name, say, is found out by who needs it.

// Limits in bytes. They are far above what anybody types, and far below what hurts.
const (
	// maxArgument bounds an event as JSON. .NET writes a letter outside ASCII in six bytes, so an event is longer than its values.
	maxArgument = 8 << 20

	MaxPoolName     = 250
	MaxWorkloadName = 500      // it is in the log's records, in reports and in an annotation
	maxURL          = 2000     // as browsers and proxies take them
	maxChartName    = 250      // the chart's version too: both become a part of a file's name
	maxHostname     = 253      // as DNS has it
	maxUsername     = 1000     // it may be a token
	maxPassword     = 64 << 10 // so may this: those of cloud providers have several KiB

	// maxSecrets bounds the values of all secret overrides together: they go into one Kubernetes Secret, which takes no more.
	maxSecrets = 1 << 20
)

// rule is what a text of an event must be.
type rule struct {
	field string // its name on the wire
	of    func(*hub.WorkloadDeployed) string
	limit int // of its length; 0: its form has one
	form  func(text string, w *hub.WorkloadDeployed) complaint
	quote bool // errors may hold the value: it is never a secret
}

// complaint is what is wrong with a field, and what to do; the zero value: it is right.
type complaint struct{ why, remedy string }

// remedy is what to do where there is nothing better to say.
const remedy = "correct it at the controller and try again"

var (
	tenantRules = []rule{
		{"tenantId", func(w *hub.WorkloadDeployed) string { return w.TenantID }, names.MaxTenantID, aName, true},
	}
	poolRules = slices.Concat(tenantRules, []rule{
		{"poolRtId", func(w *hub.WorkloadDeployed) string { return w.PoolRtID }, 0, aPoolID, true},
		{"deploymentSiteRtId", func(w *hub.WorkloadDeployed) string { return w.DeploymentSiteRtID }, 0, aPoolID, true},
		{"poolName", func(w *hub.WorkloadDeployed) string { return w.PoolName }, MaxPoolName, aPoolName, true},
	})
	workloadRules = slices.Concat(poolRules, []rule{
		{"workloadRtId", func(w *hub.WorkloadDeployed) string { return w.WorkloadRtID }, 0, aWorkloadID, true},
		{"workloadName", func(w *hub.WorkloadDeployed) string { return w.WorkloadName }, MaxWorkloadName, aWorkloadName, true},
	})
	deployRules = slices.Concat(workloadRules, []rule{
		{"repositoryUrl", func(w *hub.WorkloadDeployed) string { return w.RepositoryURL }, maxURL, aRepository, false},
		{"repositoryUsername", func(w *hub.WorkloadDeployed) string { return w.RepositoryUsername }, maxUsername, aUsername, false},
		{"repositoryPassword", func(w *hub.WorkloadDeployed) string { return w.RepositoryPassword }, maxPassword, aPassword, false},
		{"chartName", func(w *hub.WorkloadDeployed) string { return w.ChartName }, maxChartName, aChartName, true},
		{"chartVersion", func(w *hub.WorkloadDeployed) string { return w.ChartVersion }, maxChartName, aChartVersion, true},
		{"hostname", func(w *hub.WorkloadDeployed) string { return w.Hostname }, maxHostname, aHostname, true},
		{"valuesYaml", func(w *hub.WorkloadDeployed) string { return w.ValuesYaml }, bounds.Document, anything, false},
	})
)

// checks are the rules of each callback, and how its refusal begins.
var checks = map[string]struct {
	cannot string
	rules  []rule
}{
	hub.PreUpdateTenant:  {"prepare the tenant's update", tenantRules},
	hub.PoolDeployed:     {"deploy the pool", poolRules},
	hub.PoolUndeployed:   {"undeploy the pool", poolRules},
	hub.WorkloadDeploy:   {"deploy the workload", deployRules},
	hub.WorkloadUndeploy: {"undeploy the workload", workloadRules},
	hub.ScaleWorkload:    {"scale the workload", workloadRules},
}

// Event says what is wrong with an event and what to do. generation is the controller's, 0 where it is not known. The error is fit
// for the log and for the event's tenant: it is short, of one line, and holds no secret.
func Event(event hub.Event, generation hub.Generation) error {
	if err := Fields(event, generation); err != nil {
		return fmt.Errorf("cannot %s: %w", checks[event.Callback].cannot, err)
	}
	return nil
}

func Fields(event hub.Event, generation hub.Generation) error {
	if len(event.Argument) > maxArgument {
		return fmt.Errorf("the event has %d bytes, the limit is %d: make its values shorter", len(event.Argument), maxArgument)
	}
	if err := checkMembers(event.Argument); err != nil { // before it is decoded: of many small members each would take much memory
		return err
	}
	w, err := fieldsOf(event)
	if err != nil {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	for _, r := range checks[event.Callback].rules {
		if err := r.check(&w); err != nil {
			return err
		}
	}
	return errors.Join(checkPool(event.Callback, w.Pool, generation), checkValues(w.Values))
}

// fieldsOf reads an event of any callback: the fields of all are among a deploy's.
func fieldsOf(event hub.Event) (w hub.WorkloadDeployed, err error) {
	switch event.Callback {
	case hub.PreUpdateTenant:
		var t hub.Tenant
		t, err = hub.Decode[hub.Tenant](event.Argument)
		w.TenantID = t.TenantID
	case hub.PoolDeployed, hub.PoolUndeployed:
		w.Pool, err = hub.Decode[hub.Pool](event.Argument)
	case hub.WorkloadDeploy:
		w, err = hub.Decode[hub.WorkloadDeployed](event.Argument)
	case hub.WorkloadUndeploy:
		w.Workload, err = hub.Decode[hub.Workload](event.Argument)
	case hub.ScaleWorkload:
		var s hub.WorkloadScale
		s, err = hub.Decode[hub.WorkloadScale](event.Argument)
		w.Workload = s.Workload
		if err == nil {
			err = Scale(s, math.MaxInt) // the most is a setting: see scaleWorkload
		}
	}
	if err == nil && !w.WorkloadType.Known() {
		err = errors.New("workloadType is none of 0 Adapter, 1 Application, 2 AdapterPool")
	}
	return w, err
}

func (r rule) check(w *hub.WorkloadDeployed) error {
	value := r.of(w)
	c := complaint{}
	if r.limit > 0 && len(value) > r.limit {
		c.why = fmt.Sprintf("has %d bytes, the limit is %d", len(value), r.limit)
	} else {
		c = r.form(value, w)
	}
	if c.why == "" {
		return nil
	}
	if c.remedy == "" {
		c.remedy = remedy
	}
	shown := ""
	if r.quote && value != "" {
		shown = " " + text.Quoted(value)
	}
	return fmt.Errorf("%s%s %s: %s", r.field, shown, c.why, c.remedy)
}

// checkPool refuses an event that names its pool in two ways, or as another generation of the contract does: it is no event of the
// controller that the operator is connected to, and the release would be another one.
func checkPool(callback string, p hub.Pool, generation hub.Generation) error {
	if p.PoolRtID != "" && p.DeploymentSiteRtID != "" && p.PoolRtID != p.DeploymentSiteRtID {
		return fmt.Errorf("poolRtId and deploymentSiteRtId are not the same: %s", remedy)
	}
	ofPool := callback == hub.PoolDeployed || callback == hub.PoolUndeployed
	switch {
	case ofPool && p.ID() == "":
		return fmt.Errorf("poolRtId is empty (deploymentSiteRtId in G4, poolName in G1): %s", remedy)
	case callback == hub.PreUpdateTenant, generation == 0:
		return nil
	}
	wants, has := "poolRtId", "none"
	switch {
	case p.DeploymentSiteRtID != "":
		has = "deploymentSiteRtId"
	case p.PoolRtID != "":
		has = "poolRtId"
	case p.PoolName != "":
		has = "poolName"
	}
	switch generation {
	case hub.G1:
		wants = "poolName"
		if callback == hub.PoolUndeployed && has == "poolRtId" { // it came as a text, and the pool's name looks like an id
			return nil
		}
	case hub.G4:
		wants = "deploymentSiteRtId"
	}
	if has == wants {
		return nil
	}
	return fmt.Errorf("the controller speaks the contract's generation %s, whose events name their pool by %s, and this one has %s: send it as the controller does",
		generation, wants, has)
}

// checkValues looks at the overrides. Whether a path is one, the merge finds out.
func checkValues(values []hub.Value) error {
	secrets := 0
	for i, v := range values {
		if v.IsSecret {
			secrets += len(v.Value)
		}
		c := onOneLine(v.Path)
		if len(v.Path) > bounds.Path {
			c.why = fmt.Sprintf("has %d bytes, the limit is %d", len(v.Path), bounds.Path)
		}
		if c.why != "" {
			return fmt.Errorf("the path %s of values[%d] %s: %s", text.Quoted(v.Path), i, c.why, remedy)
		}
	}
	if secrets > maxSecrets {
		return fmt.Errorf("the secret values have %d bytes together, the limit is %d, which is what a Kubernetes Secret takes: put large files elsewhere", secrets, maxSecrets)
	}
	return nil
}
