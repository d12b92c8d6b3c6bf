// Package check validates each event before it is kept: Event says what is wrong with one. event.go has the fields of each callback's
// events, fields.go the rules for each field; json.go checks the JSON before it is decoded.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"octo-operator/bounds"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// Every field of an event is checked here, once, before the event is kept and before its lane is chosen: a tenant may have typed any of
// them. After that an id is an id, a name has a limited length, and nothing can be taken for a flag, a label, a path or a line of the
// log. Other facts, such as whether there is a chart of that name, are found out later, by the code that needs them.

// Limits in bytes. They are far above what anybody types, and far below what does harm.
const (
	// maxArgument bounds an event as JSON. .NET writes a letter outside ASCII in six bytes, so an event is longer than its values.
	maxArgument = 8 << 20

	MaxPoolName     = 250      // of a pool's name
	MaxWorkloadName = 500      // of a workload's name: it is in the log's records, in reports and in an annotation
	maxURL          = 2000     // the limit of browsers and proxies
	maxChartName    = 250      // the chart's version too: both become a part of a file's name
	maxHostname     = 253      // the limit of DNS
	maxUsername     = 1000     // it may be a token
	maxPassword     = 64 << 10 // it may be a token too: those of cloud providers have several KiB

	// maxSecrets bounds the values of all secret overrides together: they go into one Kubernetes Secret, which cannot hold more.
	maxSecrets = 1 << 20
)

// field is a text field of an event, with the rules for it.
type field struct {
	name     string                             // on the wire
	value    func(*hub.WorkloadDeployed) string // returns it from the event
	maxBytes int                                // 0: the check bounds its length
	check    func(text string, w *hub.WorkloadDeployed) problem
	quotable bool // errors may hold the value: it is never a secret
}

// problem is what is wrong with a text ("is empty"), and what to do about it; without a remedy, it is the constant. The zero value means
// that nothing is wrong.
type problem struct{ what, remedy string }

// remedy is what to do if there is no better advice.
const remedy = "correct it at the controller and try again"

var (
	tenantFields = []field{
		{"tenantId", func(w *hub.WorkloadDeployed) string { return w.TenantID }, names.MaxTenantID, checkName, true},
	}
	poolFields = slices.Concat(tenantFields, []field{
		{"poolRtId", func(w *hub.WorkloadDeployed) string { return w.PoolRtID }, 0, checkPoolID, true},
		{"deploymentSiteRtId", func(w *hub.WorkloadDeployed) string { return w.DeploymentSiteRtID }, 0, checkPoolID, true},
		{"poolName", func(w *hub.WorkloadDeployed) string { return w.PoolName }, MaxPoolName, checkPoolName, true},
	})
	workloadFields = slices.Concat(poolFields, []field{
		{"workloadRtId", func(w *hub.WorkloadDeployed) string { return w.WorkloadRtID }, 0, checkWorkloadID, true},
		{"workloadName", func(w *hub.WorkloadDeployed) string { return w.WorkloadName }, MaxWorkloadName, checkWorkloadName, true},
	})
	deployFields = slices.Concat(workloadFields, []field{
		{"repositoryUrl", func(w *hub.WorkloadDeployed) string { return w.RepositoryURL }, maxURL, checkRepositoryURL, false},
		{"repositoryUsername", func(w *hub.WorkloadDeployed) string { return w.RepositoryUsername }, maxUsername, checkUsername, false},
		{"repositoryPassword", func(w *hub.WorkloadDeployed) string { return w.RepositoryPassword }, maxPassword, checkPassword, false},
		{"chartName", func(w *hub.WorkloadDeployed) string { return w.ChartName }, maxChartName, checkChartName, true},
		{"chartVersion", func(w *hub.WorkloadDeployed) string { return w.ChartVersion }, maxChartName, checkChartVersion, true},
		{"hostname", func(w *hub.WorkloadDeployed) string { return w.Hostname }, maxHostname, checkHostname, true},
		{"valuesYaml", func(w *hub.WorkloadDeployed) string { return w.ValuesYaml }, bounds.Document, anyText, false},
	})
)

// callbacks has the fields of each callback's events, and what cannot be done if one of them is wrong.
var callbacks = map[string]struct {
	cannot string
	fields []field
}{
	hub.PreUpdateTenant:            {"prepare the tenant's update", tenantFields},
	hub.PoolDeployed:               {"deploy the pool", poolFields},
	hub.PoolUndeployed:             {"undeploy the pool", poolFields},
	hub.WorkloadDeployedCallback:   {"deploy the workload", deployFields},
	hub.WorkloadUndeployedCallback: {"undeploy the workload", workloadFields},
	hub.ScaleWorkload:              {"scale the workload", workloadFields},
}

// Event says what is wrong with an event and what to do, beginning with what cannot be done ("cannot deploy the pool: "); nil: nothing is
// wrong. The callback must be one of hub.Callbacks. generation is the controller's; 0: not known. The error may be logged and shown to
// the tenant: it is short, has one line, and contains no secret.
func Event(event hub.Event, generation hub.Generation) error {
	if err := Fields(event, generation); err != nil {
		return fmt.Errorf("cannot %s: %w", callbacks[event.Callback].cannot, err)
	}
	return nil
}

// Fields is Event without the words that say what cannot be done, for callers that have their own.
func Fields(event hub.Event, generation hub.Generation) error {
	if len(event.Argument) > maxArgument {
		return fmt.Errorf("the event has %d bytes, the limit is %d: make its values shorter", len(event.Argument), maxArgument)
	}
	if err := checkJSON(event.Argument); err != nil { // before it is decoded, because many small fields would take much memory
		return err
	}
	w, err := fieldsOf(event)
	if err != nil {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	for _, f := range callbacks[event.Callback].fields {
		if err := f.problemOf(&w); err != nil {
			return err
		}
	}
	return errors.Join(checkPool(event.Callback, w.Pool, generation), checkValues(w.Values))
}

// fieldsOf decodes an event of any callback as a deploy, which has the fields of all callbacks.
func fieldsOf(event hub.Event) (w hub.WorkloadDeployed, err error) {
	switch event.Callback {
	case hub.PreUpdateTenant:
		var t hub.Tenant
		t, err = hub.Decode[hub.Tenant](event.Argument)
		w.TenantID = t.TenantID
	case hub.PoolDeployed, hub.PoolUndeployed:
		w.Pool, err = hub.Decode[hub.Pool](event.Argument)
	case hub.WorkloadDeployedCallback:
		w, err = hub.Decode[hub.WorkloadDeployed](event.Argument)
	case hub.WorkloadUndeployedCallback:
		w.Workload, err = hub.Decode[hub.Workload](event.Argument)
	case hub.ScaleWorkload:
		var s hub.WorkloadScale
		s, err = hub.Decode[hub.WorkloadScale](event.Argument)
		w.Workload = s.Workload
		if err == nil {
			err = Replicas(s, math.MaxInt)
		}
	}
	if err == nil && !w.WorkloadType.Known() {
		err = errors.New("workloadType is none of 0 Adapter, 1 Application, 2 AdapterPool")
	}
	return w, err
}

// problemOf says what is wrong with the field in an event; nil: nothing is.
func (f field) problemOf(w *hub.WorkloadDeployed) error {
	value := f.value(w)
	p := problem{}
	if f.maxBytes > 0 && len(value) > f.maxBytes {
		p = tooLong(value, f.maxBytes)
	} else {
		p = f.check(value, w)
	}
	if p.what == "" {
		return nil
	}
	shown := f.name
	if f.quotable && value != "" {
		shown += " " + text.Quoted(value)
	}
	return fmt.Errorf("%s %s: %s", shown, p.what, cmp.Or(p.remedy, remedy))
}

// tooLong is the problem of a text that has more bytes than limit.
func tooLong(text string, limit int) problem {
	return problem{what: fmt.Sprintf("has %d bytes, the limit is %d", len(text), limit)}
}

// checkPool refuses an event that names its pool in two different ways, or in the way of another generation: such an event does not come
// from the controller to which the operator is connected, and would belong to another release.
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
		if callback == hub.PoolUndeployed && has == "poolRtId" { // G1 sends only a string, which was taken for an id because the pool's name looks like one
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

// checkValues checks the overrides. Whether a path is valid is found out when they are merged.
func checkValues(values []hub.Value) error {
	secrets := 0
	for i, v := range values {
		if v.IsSecret {
			secrets += len(v.Value)
		}
		p := checkLine(v.Path)
		if len(v.Path) > bounds.Path {
			p = tooLong(v.Path, bounds.Path)
		}
		if p.what != "" {
			return fmt.Errorf("the path %s of values[%d] %s: %s", text.Quoted(v.Path), i, p.what, remedy)
		}
	}
	if secrets > maxSecrets {
		return fmt.Errorf("the secret values have %d bytes together, the limit is %d, which is what a Kubernetes Secret takes: put large files elsewhere", secrets, maxSecrets)
	}
	return nil
}

// Replicas refuses a scale to fewer than 0 or to more than most replicas. It is not a part of Event, because most is a setting.
func Replicas(s hub.WorkloadScale, most int) error {
	switch {
	case s.Replicas < 0:
		return fmt.Errorf("replicas is %d: it must be 0 or more", s.Replicas)
	case s.Replicas > most:
		return fmt.Errorf("replicas is %d: at most %d are allowed: ask for fewer, or raise OPERATOR__MAXREPLICAS", s.Replicas, most)
	}
	return nil
}
