package check

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"octo-operator/bounds"
	"octo-operator/dispatch/journal"
	"octo-operator/hub"
	"octo-operator/names"
)

const (
	poolID = "65d5c447b420da3fb12381bc"
	workID = "65d5c447b420da3fb12381bd"
)

func aDeploy() hub.WorkloadDeployed {
	return hub.WorkloadDeployed{
		Workload: hub.Workload{
			Pool: hub.Pool{TenantID: "acme", PoolRtID: poolID}, WorkloadRtID: workID, WorkloadName: "Shop",
		},
		ChartName: "app", RepositoryURL: "https://charts.example",
	}
}

func eventOf(callback string, argument any) hub.Event {
	text, err := json.Marshal(argument)
	if err != nil {
		panic(err)
	}
	return hub.Event{Callback: callback, Argument: text}
}

type change = func(*hub.WorkloadDeployed)

func TestWhatPeopleTypeIsAccepted(t *testing.T) {
	for name, changes := range map[string][]change{
		"repositories": each(func(w *hub.WorkloadDeployed, text string) { w.RepositoryURL = text },
			"https://charts.example", "http://charts.example:8080/a/b/", "HTTPS://charts.example", "oci://registry.example:5000/charts", "OCI://registry.example/charts", "oCi://registry.example/charts",
			"https://charts.example/über", "https://charts.example/a?b=c%20d"),
		"versions": each(func(w *hub.WorkloadDeployed, text string) { w.ChartVersion = text },
			"", "1.2.3", "v1.2.3-rc.1+build.7", "^1.2", "~1.2", ">= 1.0.0, < 2.0.0 || 3.x", "1.2 - 2.0", "!=1.3", "*", "latest_1", "1.2.3@sha256:0a", strings.Repeat("1", 250)),
		"charts": each(func(w *hub.WorkloadDeployed, text string) { w.ChartName = text },
			"app", "a/b", "app_2.x", "a..b", strings.Repeat("a", 250)),
		"tenants": each(func(w *hub.WorkloadDeployed, text string) { w.TenantID = text },
			"acme", "Acme Corp.", "Müller & Söhne", "a/b", strings.Repeat("very-long-", 20)),
		"display names": each(func(w *hub.WorkloadDeployed, text string) { w.WorkloadName = text },
			"", "Coffee & Tea", "two\nlines", "\x1b[31mred", "\u202eback", "--flag", "日本語", strings.Repeat("n", 500)),
		"hosts": each(func(w *hub.WorkloadDeployed, text string) { w.Hostname, w.IngressEnabled = text, true },
			"", "shop.example", "*.shop.example", "shop.example:8443", "müller.example", "SHOP_1.example"),
		"a host that nobody uses": each(func(w *hub.WorkloadDeployed, text string) { w.Hostname = text }, "https://shop.example/"),
		"passwords": each(func(w *hub.WorkloadDeployed, text string) {
			w.RepositoryUsername, w.RepositoryPassword = "_json_key", text
		},
			"p ä ss: \"'$", "{\n\t\"type\": \"service_account\"\r\n}\n", strings.Repeat("x", 64<<10)),
		"values": {func(w *hub.WorkloadDeployed) {
			w.ValuesYaml = strings.Repeat("# ü\n", 700_000)
			w.Values = []hub.Value{{Path: `a.b[0].example\.com/c`, Value: strings.Repeat("v", 1<<20)}, {Path: "key", Value: strings.Repeat("s", 1<<20), IsSecret: true}}
		}},
		"many values": {func(w *hub.WorkloadDeployed) { w.Values = manyValues(2000) }},
		"a type":      {func(w *hub.WorkloadDeployed) { w.WorkloadType = hub.AdapterPool }},
		"G1": {
			func(w *hub.WorkloadDeployed) { w.Pool = hub.Pool{TenantID: "acme", PoolName: "Main Pool"} },
			func(w *hub.WorkloadDeployed) {
				w.Pool, w.WorkloadRtID = hub.Pool{TenantID: "acme", PoolName: "main"}, ""
			},
		},
		"G3 with the pool's name": {func(w *hub.WorkloadDeployed) { w.PoolName = "for\npeople" }},
		"G4":                      {func(w *hub.WorkloadDeployed) { w.Pool = hub.Pool{TenantID: "acme", DeploymentSiteRtID: poolID} }},
		"G4 with the id of G3":    {func(w *hub.WorkloadDeployed) { w.DeploymentSiteRtID = w.PoolRtID }},
	} {
		for i, change := range changes {
			w := aDeploy()
			change(&w)
			if err := Event(eventOf(hub.WorkloadDeployedCallback, w), 0); err != nil {
				t.Errorf("%s, %d: %v", name, i, err)
			}
		}
	}
}

func each(set func(*hub.WorkloadDeployed, string), texts ...string) (changes []change) {
	for _, text := range texts {
		changes = append(changes, func(w *hub.WorkloadDeployed) { set(w, text) })
	}
	return changes
}

func manyValues(n int) (values []hub.Value) {
	for i := range n {
		values = append(values, hub.Value{Path: fmt.Sprint("v", i), Value: "x"})
	}
	return values
}

func TestWhatCouldBeTakenForSomethingElseIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     change
	}{
		{"no tenant", "tenantId is empty", func(w *hub.WorkloadDeployed) { w.TenantID = "" }},
		{"a tenant without letters", `tenantId "--" holds no letter`, func(w *hub.WorkloadDeployed) { w.TenantID = "--" }},
		{"a tenant of two lines", `tenantId "acme\u000aadmin" holds a character that cannot be printed`, func(w *hub.WorkloadDeployed) { w.TenantID = "acme\nadmin" }},
		{"a tenant of 1 MB", "has 1000000 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.TenantID = strings.Repeat("a", 1_000_000) }},
		{"labels in the pool's id", `poolRtId "x,octo-mesh.meshmakers.io/tenant=victim-corp" is not 24 lowercase hexadecimal digits`,
			func(w *hub.WorkloadDeployed) { w.PoolRtID = "x,octo-mesh.meshmakers.io/tenant=victim-corp" }},
		{"labels in the site's id", `deploymentSiteRtId "x,a=b" is not 24`, func(w *hub.WorkloadDeployed) { w.Pool = hub.Pool{TenantID: "acme", DeploymentSiteRtID: "x,a=b"} }},
		{"labels in the id of G1", `workloadRtId "x,a=b" is not 24`, func(w *hub.WorkloadDeployed) {
			w.Pool, w.WorkloadRtID = hub.Pool{TenantID: "acme", PoolName: "main"}, "x,a=b"
		}},
		{"an id with a line's end", `workloadRtId "` + workID + `\u000a" is not 24`, func(w *hub.WorkloadDeployed) { w.WorkloadRtID = workID + "\n" }},
		{"an id of 4 MB", `workloadRtId "` + strings.Repeat("a", 60) + `…" is not 24`, func(w *hub.WorkloadDeployed) { w.WorkloadRtID = strings.Repeat("a", 4_000_000) }},
		{"no id", "workloadRtId is empty", func(w *hub.WorkloadDeployed) { w.WorkloadRtID = "" }},
		{"two pools", "poolRtId and deploymentSiteRtId are not the same", func(w *hub.WorkloadDeployed) { w.DeploymentSiteRtID = workID }},
		{"a pool's name of two lines, in G1", `poolName "a\u000ab" holds`, func(w *hub.WorkloadDeployed) { w.Pool = hub.Pool{TenantID: "acme", PoolName: "a\nb"} }},
		{"no name, in G1", "workloadName is empty", func(w *hub.WorkloadDeployed) {
			w.Pool, w.WorkloadName = hub.Pool{TenantID: "acme", PoolName: "main"}, ""
		}},
		{"a name of 501", "has 501 bytes, the limit is 500", func(w *hub.WorkloadDeployed) { w.WorkloadName = strings.Repeat("n", 501) }},
		{"a type that is none", "workloadType is none of", func(w *hub.WorkloadDeployed) { w.WorkloadType = 9 }},

		{"no repository", "repositoryUrl is not an http://, https:// or oci:// URL", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "" }},
		{"a repository on the disk", "repositoryUrl is not an", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "file:///etc" }},
		{"credentials in the URL", "repositoryUrl holds credentials: they belong in repositoryUsername", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://me:planted@charts.example" }},
		{"a registry without slashes", "repositoryUrl is not an", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "oci:registry.example/charts" }},
		{"a registry with a query", "repositoryUrl has a query", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "oci://registry.example/charts?planted" }},
		{"a colour in the URL", "repositoryUrl holds a character", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\x1b[31m" }},
		{"a line's end in the URL", "repositoryUrl holds a character", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\n+ helm uninstall" }},
		{"a line's end of Unicode in the URL", "repositoryUrl holds a character that cannot be printed", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\u0085+ helm" }},
		{"a URL of 1 MB", "repositoryUrl has 1000023 bytes, the limit is 2000", func(w *hub.WorkloadDeployed) { w.RepositoryURL += "/" + strings.Repeat("x", 1_000_000) }},
		{"a user of two lines", "repositoryUsername holds a control character", func(w *hub.WorkloadDeployed) { w.RepositoryUsername = "a\nplanted" }},
		{"a user of 1 KB", "repositoryUsername has 1001 bytes", func(w *hub.WorkloadDeployed) { w.RepositoryUsername = strings.Repeat("a", 1001) }},
		{"a password with a NUL", "repositoryPassword holds a control character", func(w *hub.WorkloadDeployed) { w.RepositoryPassword = "planted\x00" }},
		{"a password of 1 MB", "repositoryPassword has 1000000 bytes", func(w *hub.WorkloadDeployed) { w.RepositoryPassword = strings.Repeat("p", 1_000_000) }},
		{"a password that was lost", "repositoryPassword was lost when the operator's pod was replaced: deploy again", func(w *hub.WorkloadDeployed) { w.RepositoryPassword = journal.LostPassword }},

		{"no chart", "chartName is not the name of a chart", func(w *hub.WorkloadDeployed) { w.ChartName = "" }},
		{"a chart that is a flag", `chartName "--post-renderer" is not the name of a chart`, func(w *hub.WorkloadDeployed) { w.ChartName = "--post-renderer" }},
		{"a chart outside the repository", `chartName "a/../../other/app" is not the name of a chart`, func(w *hub.WorkloadDeployed) { w.ChartName = "a/../../other/app" }},
		{"a chart with an empty part", `chartName "a//b" is not`, func(w *hub.WorkloadDeployed) { w.ChartName = "a//b" }},
		{"a chart with a digest of its own", `chartName "app@sha256:0a" is not`, func(w *hub.WorkloadDeployed) { w.ChartName = "app@sha256:0a" }},
		{"a chart of 4 MB", "has 4000000 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartName = strings.Repeat("a", 4_000_000) }},
		{"a chart that is none, of 1 MB", "has 1000000 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartName = strings.Repeat("\x1b", 1_000_000) }},
		{"a forged command", `chartVersion "1\u000d+ helm uninstall everything" is not a version`, func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\r+ helm uninstall everything" }},
		{"a colour in the version", `chartVersion "1\u001b[31m" is not a version`, func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\x1b[31m" }},
		{"a version that turns the line round", `chartVersion "1\u202e" is not`, func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\u202e" }},
		{"a version that is a flag", `chartVersion "--devel" is not`, func(w *hub.WorkloadDeployed) { w.ChartVersion = "--devel" }},
		{"a version of 251", "has 251 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartVersion = strings.Repeat("1", 251) }},

		{"a host that is a URL", `hostname "https://shop.example" is not the name of a host`, func(w *hub.WorkloadDeployed) { w.Hostname, w.IngressEnabled = "https://shop.example", true }},
		{"a host with a user", `hostname "a@shop.example" is not`, func(w *hub.WorkloadDeployed) { w.Hostname, w.IngressEnabled = "a@shop.example", true }},
		{"values of 5 MiB and a byte", "valuesYaml has 5242881 bytes, the limit is 5242880", func(w *hub.WorkloadDeployed) { w.ValuesYaml = strings.Repeat("#", bounds.Document+1) }},
		{"a path of two lines", `the path "a\u000ab" of values[1] holds a control character`, func(w *hub.WorkloadDeployed) { w.Values = []hub.Value{{Path: "a"}, {Path: "a\nb"}} }},
		{"a path of 1 MB", "of values[0] has 1000000 bytes, the limit is 4096", func(w *hub.WorkloadDeployed) { w.Values = []hub.Value{{Path: strings.Repeat("a", 1_000_000)}} }},
		{"secrets of 1 MiB and a byte", "the secret values have 1048577 bytes together, the limit is 1048576", func(w *hub.WorkloadDeployed) {
			w.Values = []hub.Value{{Path: "a", Value: strings.Repeat("p", 1<<20), IsSecret: true}, {Path: "b", Value: "p", IsSecret: true}, {Path: "c", Value: "plain"}}
		}},
		{"more values than anybody has", "values has more than 2000 overrides", func(w *hub.WorkloadDeployed) { w.Values = manyValues(2001) }},
		{"20 MB", "the limit is 8388608: make its values shorter", func(w *hub.WorkloadDeployed) { w.ValuesYaml = strings.Repeat("#", 9_000_000) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := aDeploy()
			test.change(&w)
			wantRefusal(t, Event(eventOf(hub.WorkloadDeployedCallback, w), 0), "cannot deploy the workload: ", test.want)
		})
	}
}

// wantRefusal wants an error that is fit for a log and a status.
func wantRefusal(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %q", want)
	}
	text := err.Error()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("got %q, want %q", text, w)
		}
	}
	if len(text) > 500 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Contains(text, "planted") {
		t.Errorf("the error is none for a log: %.600q", text)
	}
}

func TestAnArgumentThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ argument, want string }{
		"a field twice":             {`{"tenantId":"acme","tenantId":"beta"}`, `the field "tenantId" comes twice`},
		"a field in another case":   {`{"tenantId":"acme","TENANTID":"beta"}`, `the field "TENANTID" comes twice`},
		"a letter that folds":       {`{"isReconciliation":true,"i` + "\u017f" + `Reconciliation":false}`, `Reconciliation" comes twice`},
		"values twice":              {`{"values":[{"path":"a","value":"planted"}],"Values":[{"isSecret":true}]}`, `the field "Values" comes twice`},
		"an override's value twice": {`{"values":[{"path":"a"},{"value":"planted","Value":"planted","isSecret":true}]}`, `values[1]: the field "Value" comes twice`},
		"an override's flag twice":  {`{"values":[{"value":"planted","isSecret":true,"IsSecret":false}]}`, `values[0]: the field "IsSecret" comes twice`},
		"a list":                    {`["acme"]`, "it is not a JSON object"},
		"null":                      {`null`, "it is not a JSON object"},
		"nothing":                   {``, "it is not JSON"},
		"half of it":                {`{"tenantId":"acme"`, "it is not JSON"},
		"two":                       {`{"tenantId":"acme"} {}`, "it is not JSON"},
		"many fields":               {`{` + manyFields(201) + `}`, "it has more than 200 fields"},
		"an override's many fields": {`{"values":[{` + manyFields(201) + `}]}`, "values[0]: it has more than 200 fields"},
		"a type":                    {`{"tenantId":"acme","values":"planted"}`, "values is a JSON string, not a list"},
		"an override's type":        {`{"tenantId":"acme","values":[7]}`, "values is a JSON number, not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, Event(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(test.argument)}, 0), test.want)
		})
	}
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"f%d":1`, i)
	}
	return strings.Join(fields, ",")
}

func TestEachCallbackIsLookedAt(t *testing.T) {
	pool, w := hub.Pool{TenantID: "acme", PoolRtID: poolID}, aDeploy().Workload
	bad := w
	bad.WorkloadRtID = "x"
	for _, test := range []struct {
		callback  string
		good, bad any
		want      string
	}{
		{hub.PreUpdateTenant, hub.Tenant{TenantID: "acme"}, hub.Tenant{}, "cannot prepare the tenant's update: tenantId is empty"},
		{hub.PoolDeployed, pool, hub.Pool{TenantID: "acme", PoolRtID: "x"}, `cannot deploy the pool: poolRtId "x" is not`},
		{hub.PoolDeployed, pool, hub.Pool{TenantID: "acme"}, "cannot deploy the pool: poolRtId is empty"},
		{hub.PoolUndeployed, pool, hub.Pool{PoolRtID: poolID}, "cannot undeploy the pool: tenantId is empty"},
		{hub.WorkloadDeployedCallback, aDeploy(), hub.WorkloadDeployed{}, "cannot deploy the workload: tenantId is empty"},
		{hub.WorkloadUndeployedCallback, w, bad, `cannot undeploy the workload: workloadRtId "x" is not`},
		{hub.ScaleWorkload, hub.WorkloadScale{Workload: w}, hub.WorkloadScale{Workload: bad}, `cannot scale the workload: workloadRtId "x" is not`},
		{hub.ScaleWorkload, hub.WorkloadScale{Workload: w, Replicas: 3}, hub.WorkloadScale{Workload: w, Replicas: -1}, "cannot scale the workload: replicas is -1"},
		{hub.ScaleWorkload, hub.WorkloadScale{Workload: w}, map[string]any{"tenantId": "acme", "replicas": json.Number(strings.Repeat("9", 1000))}, "replicas is a JSON number, not a whole number of usual size"},
	} {
		if err := Event(eventOf(test.callback, test.good), 0); err != nil {
			t.Errorf("%s: %v", test.callback, err)
		}
		wantRefusal(t, Event(eventOf(test.callback, test.bad), 0), test.want)
	}
	for _, callback := range hub.Callbacks {
		if _, ok := callbacks[callback]; !ok {
			t.Errorf("%s has no rules", callback)
		}
	}
}

// A text field that is added to the event and forgotten here would not be checked.
func TestEachTextOfADeployHasARule(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[hub.WorkloadDeployed]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.String && !slices.ContainsFunc(deployFields, func(rule field) bool { return rule.name == name }) {
			t.Errorf("%s has no rule in deployFields", name)
		}
	}
}

func TestAnEventInTheShapeOfAnotherGenerationIsRefused(t *testing.T) {
	shapes := map[string]hub.Pool{
		"poolName":           {TenantID: "acme", PoolName: "main"},
		"poolRtId":           {TenantID: "acme", PoolRtID: poolID},
		"deploymentSiteRtId": {TenantID: "acme", DeploymentSiteRtID: poolID},
		"none":               {TenantID: "acme"},
	}
	wants := map[hub.Generation]string{hub.G1: "poolName", hub.G3: "poolRtId", hub.G4: "deploymentSiteRtId"}
	for generation, wanted := range wants {
		for shape, pool := range shapes {
			w := aDeploy()
			w.Pool = pool
			for callback, argument := range map[string]any{
				hub.PoolDeployed: pool, hub.PoolUndeployed: pool, hub.WorkloadDeployedCallback: w, hub.WorkloadUndeployedCallback: w.Workload, hub.ScaleWorkload: hub.WorkloadScale{Workload: w.Workload},
			} {
				err := Event(eventOf(callback, argument), generation)
				// G1 sends only a string for an undeployed pool: a name that looks like an id.
				good := shape == wanted || generation == hub.G1 && callback == hub.PoolUndeployed && shape == "poolRtId"
				switch {
				case good && err != nil:
					t.Errorf("%s, %s with %s: %v", generation, callback, shape, err)
				case !good && shape == "none" && strings.Contains(callback, "Pool"):
					wantRefusal(t, err, "poolRtId is empty")
				case !good:
					wantRefusal(t, err, fmt.Sprintf("the controller speaks the contract's generation %s, whose events name their pool by %s, and this one has %s", generation, wanted, shape))
				}
			}
		}
		if err := Event(eventOf(hub.PreUpdateTenant, hub.Tenant{TenantID: "acme"}), generation); err != nil {
			t.Error(err)
		}
	}
}

// FuzzEvent: an event that passes has valid labels; one that does not is refused in one short line without secrets.
func FuzzEvent(f *testing.F) {
	for _, callback := range hub.Callbacks {
		f.Add(callback, string(eventOf(callback, aDeploy()).Argument), uint8(3))
	}
	f.Add(hub.WorkloadDeployedCallback, `{"tenantId":"a","poolName":"b,c=d","workloadName":"\u001b[2J","chartVersion":"1\r","Values":[{"isSecret":true}],"values":[]}`, uint8(1))
	f.Add(hub.PoolUndeployed, `{"tenantId":"ſK","deploymentSiteRtId":"`+poolID+`","poolRtId":"`+workID+`"}`, uint8(4))
	f.Fuzz(func(t *testing.T, callback, argument string, generation uint8) {
		if _, known := callbacks[callback]; !known {
			return
		}
		event := hub.Event{Callback: callback, Argument: []byte(argument)}
		if err := Event(event, hub.Generation(generation%5)); err != nil {
			wantRefusal(t, err)
			return
		}
		w, err := fieldsOf(event)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range names.WorkloadLabels(w.Workload) {
			if value != "" && (len(value) > names.MaxLabel || !names.ValidLabel.MatchString(value)) {
				t.Errorf("label %s is %q", key, value)
			}
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	small := aDeploy()
	small.ValuesYaml = strings.Repeat("replicaCount: 3\n", 60) // 1 KB, as in the demo
	small.Values = manyValues(20)
	large := small
	large.ValuesYaml = strings.Repeat("key: \"value\"\n", 4<<20/13)
	for name, event := range map[string]hub.Event{
		"undeploy": eventOf(hub.WorkloadUndeployedCallback, small.Workload), "deploy of 2 KB": eventOf(hub.WorkloadDeployedCallback, small), "deploy of 4 MiB": eventOf(hub.WorkloadDeployedCallback, large),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Event(event, hub.G3); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
