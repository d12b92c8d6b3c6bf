package release

import (
	"cmp"
	"net/url"
	"slices"

	"octo-operator/config"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

// Layers returns the layers of a workload's values document, as for the first deploy of its release: settings, the event's document and
// overrides, the cluster's credentials. A later deploy also keeps the number of replicas. c may be empty: then it is not known which values the
// chart accepts.
func Layers(s config.Config, w hub.WorkloadDeployed, r names.Release, c charts.Chart) merge.Input {
	return layers(s, w, r, c, chooseReplicas(w, c, liveState{}).value)
}

// layers is Layers with a number of replicas that overrides all others, unless it is "" or the chart does not accept it.
func layers(s config.Config, w hub.WorkloadDeployed, r names.Release, c charts.Chart, replicas string) merge.Input {
	in := merge.Input{
		Context: contextValues(s, w), Values: []byte(w.ValuesYaml), Injected: injected(s, w),
		Identity: []string{"tenantId", "adapterRtId"}, SecretName: r.SecretName(), ChartValues: c.Values, ChartSchema: c.Schema,
	}
	for _, v := range w.Values {
		in.Overrides = append(in.Overrides, merge.Override{Path: v.Path, Value: v.Value, Secret: v.IsSecret})
	}
	if replicas != "" {
		in.Pinned = append(in.Pinned, merge.Override{Path: replicaCount, Value: replicas})
	}
	return in
}

// Secrets are what must not be seen in the output of a deploy: those of the settings, of the event's overrides and of its repository.
func Secrets(s config.Config, w hub.WorkloadDeployed) []string {
	secrets := append(s.Secrets(), w.RepositoryPassword)
	if repository, err := url.Parse(w.RepositoryURL); err == nil {
		secrets = append(secrets, repository.RawQuery) // it may be signed
	}
	for _, v := range w.Values {
		if v.IsSecret {
			secrets = append(secrets, v.Value)
		}
	}
	return secrets
}

// contextValues is the lowest layer: the operator's settings and the ids of the workload. What is not set is left out.
func contextValues(s config.Config, w hub.WorkloadDeployed) map[string]any {
	values := map[string]any{"tenantId": w.TenantID}
	setIf(values, "adapterRtId", w.WorkloadRtID) // for every type of workload: the name is history
	setIf(values, "instancePrefix", s.InstancePrefix)
	setIf(values, "communicationControllerServiceUri", cmp.Or(s.WorkloadControllerURI, s.ControllerURI))
	setIf(values, "reportingServiceUri", s.ReportingServiceURI)
	setIf(values, "authUri", s.AuthURI)
	if len(s.AdditionalValidIssuers) > 0 {
		values["additionalValidIssuers"] = s.AdditionalValidIssuers
	}
	image := map[string]any{}
	setIf(image, "privateRegistry", s.ImageRegistry)
	setSection(values, "image", image)
	setSection(values, "clusterDependencies", clusterDependencies(s.ClusterDependencies))
	dash0 := map[string]any{} // for every chart: one that does not know it does not read it
	setIf(dash0, "endpoint", s.Dash0.Endpoint)
	setIf(dash0, "dataset", s.Dash0.Dataset)
	setIf(dash0, "environment", s.Dash0.Environment)
	setSection(values, "dash0", dash0)
	setSection(values, "ingress", ingress(s.Ingress, w))
	if w.IngressEnabled && w.Hostname != "" {
		values["publicUri"] = "https://" + w.Hostname
	}
	return values
}

func clusterDependencies(d config.ClusterDependencies) map[string]any {
	section := map[string]any{}
	setIf(section, "mongodbHost", d.MongoDBHost)
	setIf(section, "mongodbReplicaSet", d.MongoDBReplicaSet)
	setIf(section, "rabbitMqHost", d.RabbitMQHost)
	setIf(section, "rabbitMqUser", d.RabbitMQUser)
	setIf(section, "streamDataHost", d.StreamDataHost)
	setIf(section, "streamDataUser", d.StreamDataUser)
	setIf(section, "systemDatabaseName", d.SystemDatabaseName)
	setIf(section, "streamDataSchemaInstancePrefix", d.StreamDataSchemaInstancePrefix)
	return section
}

func ingress(i config.Ingress, w hub.WorkloadDeployed) map[string]any {
	section := map[string]any{}
	setIf(section, "className", i.ClassName)
	if i.TLS != nil {
		section["tls"] = *i.TLS
	}
	annotations := map[string]any{}
	setIf(annotations, "cert-manager.io/cluster-issuer", i.ClusterIssuer)
	for _, a := range i.Annotations {
		annotations[a.Name] = a.Value
	}
	setSection(section, "annotations", annotations)
	if w.IngressEnabled && w.Hostname != "" {
		section["enabled"] = true
	}
	return section
}

// setSection sets a section unless it is empty.
func setSection(values map[string]any, key string, section map[string]any) {
	if len(section) > 0 {
		values[key] = section
	}
}

// The reference operator has lists of the charts that get these. It sends the browsers' token to four more, whose names are not public:
// they are known by their default values.
var (
	chartsWithOCR   = []string{"octo-mesh-adapter"}
	chartsWithDash0 = []string{"meshmakers-app", "energy-community-app"}
)

// injected are the overrides that the operator adds above the event's document: credentials of the cluster, for the charts that may have them.
func injected(s config.Config, w hub.WorkloadDeployed) []merge.Override {
	var overrides []merge.Override
	add := func(o merge.Override) {
		if o.Value != "" {
			overrides = append(overrides, o)
		}
	}
	secret := func(path, value string) { add(merge.Override{Path: path, Value: value, Secret: true}) }
	secret("secrets.rabbitmq", s.Broker.Password)
	// A certificate is public. As it is, with its last newline: a chart's Secret that differs by one restarts pods.
	add(merge.Override{Path: "secrets.rootCa", Value: s.RootCACertificate})
	if slices.Contains(chartsWithOCR, w.ChartName) {
		secret("secrets.ironOcrLicenseKey", s.IronOCRLicenseKey)
	}
	add(merge.Override{
		Path: "secrets.dash0WebAuthToken", Value: s.Dash0.WebAuthToken, Secret: true, Declared: !slices.Contains(chartsWithDash0, w.ChartName),
	})
	if w.ReceivesClusterSecrets && w.WorkloadType != hub.AdapterPool {
		secret("secrets.databaseUser", s.ClusterSecrets.MongoDBUserPassword)
		secret("secrets.databaseAdmin", s.ClusterSecrets.MongoDBAdminPassword)
		secret("secrets.streamDataPassword", s.ClusterSecrets.StreamDataPassword)
		for _, k := range s.ClusterSecrets.EncryptionKeys {
			secret(merge.Path{{Name: "secrets"}, {Name: "secretEncryption"}, {Name: "keys"}, {Name: k.ID}}.String(), k.Key)
		}
		add(merge.Override{Path: "secrets.secretEncryption.activeKeyId", Value: s.ClusterSecrets.ActiveKeyID})
		secret("secrets.secretEncryption.legacyV1Key", s.ClusterSecrets.LegacyV1Key)
	}
	return overrides
}

// setIf sets a value unless it is the zero value.
func setIf[T comparable](m map[string]any, key string, value T) {
	var zero T
	if value != zero {
		m[key] = value
	}
}
