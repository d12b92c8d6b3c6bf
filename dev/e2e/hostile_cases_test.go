package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"octo-operator/dev/devcontroller"
)

// hostileDir has the cases. Its README.md explains their format.
const hostileDir = "../../testdata/hostile"

// hostileCase is something harmful that a tenant or a chart repository sends.
type hostileCase struct {
	Name       string                   `json:"name"`
	Generation devcontroller.Generation `json:"generation"` // default: G3
	Callback   string                   `json:"callback"`   // default: WorkloadDeployedAsync

	// What is sent: the usual event with some fields changed and others removed, or its JSON text, or all arguments, or a whole message.
	Event     map[string]any `json:"event"`
	Without   []string       `json:"without"`
	JSON      any            `json:"json"`
	Arguments []any          `json:"arguments"`
	Message   any            `json:"message"`
	Times     int            `json:"times"` // how often; default: 1

	Chart      *hostileChart            `json:"chart"`
	Repository *repositoryThatIsHostile `json:"repository"`

	Must string `json:"must"` // one of hostileOutcomes
	Says string `json:"says"` // what its status or its record in the log must match
	Told string `json:"told"` // "log": an id that fits into no report is only in the log

	group string // events, charts or repositories
	topic string // name of its file
}

// hostileOutcomes are the outcomes that a case may require.
var hostileOutcomes = map[string]string{
	"refused":  "refused with a reason", // and nothing in the cluster was changed
	"fails":    "failed with a reason",  // and what was begun was undone
	"deploys":  "deployed harmlessly",
	"ends":     "ended without effect", // for callbacks whose success is not reported
	"vanishes": "told to nobody",       // answered by the library for the hub's protocol
}

// file is the file of the case, for messages.
func (c *hostileCase) file() string { return c.group + "/" + c.topic + ".yaml" }

// rtID is the workload's id, unless the case sets another one.
func (c *hostileCase) rtID() string { return runtimeID(c.Name) }

// readHostile reads all cases. Their names must be unique, because they are those of the workloads, by which statuses are found.
func readHostile() (all []*hostileCase, err error) {
	files, err := filepath.Glob(filepath.Join(hostileDir, "*", "*.yaml"))
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var content struct {
			Cases []*hostileCase `json:"cases"`
		}
		if err := yaml.UnmarshalStrict(text, &content); err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		for _, c := range content.Cases {
			c.group, c.topic = filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".yaml")
			if err := c.complete(); err != nil {
				return nil, fmt.Errorf("%s: case %q: %w", file, c.Name, err)
			}
			if other := names[c.Name]; other != "" {
				return nil, fmt.Errorf("%s: there is a case %q in %s too", file, c.Name, other)
			}
			names[c.Name] = file
		}
		all = append(all, content.Cases...)
	}
	return all, nil
}

func (c *hostileCase) complete() error {
	if c.Generation == "" {
		c.Generation = devcontroller.G3
	}
	if c.Callback == "" {
		c.Callback = "WorkloadDeployedAsync"
	}
	c.Times = max(c.Times, 1)
	switch _, err := regexp.Compile(c.Says); {
	case err != nil:
		return err
	case !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(c.Name):
		return fmt.Errorf("its name is not made of small letters, digits and dashes")
	case hostileOutcomes[c.Must] == "":
		return fmt.Errorf("must is %q, which is none of refused, fails, deploys, ends, vanishes", c.Must)
	case c.Says == "" && (c.Must == "refused" || c.Must == "fails"):
		return fmt.Errorf("it must say why: says is missing")
	}
	return nil
}

// reported tells whether the controller gets a report of how the case ended; otherwise only the log has it.
func (c *hostileCase) reported() bool {
	if c.Told == "log" || c.Message != nil || c.Must == "ends" || c.Must == "vanishes" {
		return false
	}
	lower := strings.ToLower(c.Callback)
	return strings.HasPrefix(lower, "workload") || strings.HasPrefix(lower, "scaleworkload")
}

// places are the values of the words that may be used in a case: @REPO@ and so on.
type places map[string]string

func (p places) fill(text string) string {
	for name, value := range p {
		text = strings.ReplaceAll(text, "@"+name+"@", value)
	}
	return text
}

// expand replaces what stands for something long or odd:
//
//	{repeat: TEXT, times: N, before: TEXT, after: TEXT}   a text; @N@ in it counts
//	{list: ANYTHING, times: N}							a list
//	{hex: 00ff}										   bytes
//	{join: [TEXT, …]}									 one text made of several
func (p places) expand(v any) any {
	switch v := v.(type) {
	case string:
		return p.fill(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = p.expand(v[i])
		}
		return list
	case map[string]any:
		if made, ok := p.generated(v); ok {
			return made
		}
		object := map[string]any{}
		for key, value := range v {
			object[p.fill(key)] = p.expand(value)
		}
		return object
	}
	return v
}

func (p places) generated(v map[string]any) (any, bool) {
	times, _ := v["times"].(float64)
	switch {
	case v["repeat"] != nil && times > 0:
		return p.text(v["before"]) + repeated(p.text(v["repeat"]), int(times)) + p.text(v["after"]), true
	case v["list"] != nil && times > 0:
		item, _ := json.Marshal(p.expand(v["list"])) // cannot fail: it was read from YAML
		list := make([]any, int(times))
		for i := range list {
			list[i] = json.RawMessage(strings.ReplaceAll(string(item), "@N@", fmt.Sprint(i)))
		}
		return list, true
	case v["hex"] != nil && len(v) == 1:
		bytes, err := hex.DecodeString(v["hex"].(string))
		return string(bytes), err == nil
	case v["join"] != nil && len(v) == 1:
		var joined strings.Builder
		for _, part := range v["join"].([]any) {
			joined.WriteString(p.text(part))
		}
		return joined.String(), true
	}
	return nil, false
}

func repeated(text string, times int) string {
	before, after, counts := strings.Cut(text, "@N@")
	if !counts {
		return strings.Repeat(text, times)
	}
	var all strings.Builder
	for i := range times {
		fmt.Fprint(&all, before, i, strings.ReplaceAll(after, "@N@", fmt.Sprint(i)))
	}
	return all.String()
}

// text is expand for a value that must be a text in the end; "" for nil.
func (p places) text(v any) string {
	switch v := p.expand(v).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// message is what the controller sends for a case, in the hub's protocol.
func (c *hostileCase) message(p places) (string, error) {
	if c.Message != nil {
		return p.text(c.Message), nil
	}
	arguments, err := c.arguments(p)
	if err != nil {
		return "", err
	}
	target, err := json.Marshal(c.Callback)
	return fmt.Sprintf(`{"type":1,"target":%s,"arguments":%s}`, target, arguments), err
}

func (c *hostileCase) arguments(p places) ([]byte, error) {
	switch {
	case c.JSON != nil:
		return []byte("[" + p.text(c.JSON) + "]"), nil
	case c.Arguments != nil:
		return json.Marshal(p.expand(c.Arguments))
	}
	event := map[string]any{
		"tenantId": "mallory", c.poolKey(): p["POOL"], "workloadName": c.Name, "workloadRtId": c.rtID(), "workloadType": 1,
		"repositoryUrl": p["REPO"], "chartName": "evil", "chartVersion": "1.0.0", "isReconciliation": false, "hibernated": false,
		"valuesYaml": "", "values": []any{}, "receivesClusterSecrets": false, "ingressEnabled": false,
	}
	if c.Chart == nil && c.Repository == nil {
		event["repositoryUrl"], event["chartName"] = p["CHARTS"], "tiny"
	}
	for key, value := range c.Event {
		event[key] = p.expand(value)
	}
	for _, key := range c.Without {
		delete(event, key)
	}
	return json.Marshal([]any{event})
}

func (c *hostileCase) poolKey() string {
	switch c.Generation {
	case devcontroller.G1:
		return "poolName"
	case devcontroller.G4:
		return "deploymentSiteRtId"
	}
	return "poolRtId"
}

// digestOf returns a chart's digest in the form that an index has.
func digestOf(archive []byte) string {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:])
}
