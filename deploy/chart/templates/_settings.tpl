{{/* A setting's value as text. Numbers in a values file are floats: 1000000 would become 1e+06. */}}
{{- define "octo.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* The settings that are not secret, one per line in YAML. Users of this template leave out empty ones. */}}
{{- define "octo.settings" -}}
{{- $operator := .Values.operator }}
OPERATOR__AUTOMANAGEPOOLS: {{ $operator.autoManagePools | quote }}
OPERATOR__COMMUNICATIONCONTROLLERURI: {{ $operator.communicationControllerUri | quote }}
OPERATOR__POOLNAMESPACE: {{ $operator.poolNamespace | quote }}
OPERATOR__PLATFORMNAMESPACE: {{ $operator.platformNamespace | quote }}
{{- with $operator.tenantServiceAccount }}
OPERATOR__TENANTSERVICEACCOUNT: {{ . | quote }}
{{- end }}
OPERATOR__WATCHNAMESPACE: {{ include "octo.watchNamespace" . | quote }}
OPERATOR__INSTANCEPREFIX: {{ $operator.instancePrefix | quote }}
OPERATOR__ADAPTERIGNORECERTIFICATEVALIDATION: {{ $operator.adapterIgnoreCertificateValidation | quote }}
OPERATOR__IMAGEPULLSECRETNAME: {{ .Values.adapterImagePullSecretName | quote }}
OPERATOR__IMAGEREGISTRY: {{ $operator.imageRegistry | quote }}
{{- range $n, $value := $operator.allowedRepositories }}
OPERATOR__ALLOWEDREPOSITORIES__{{ $n }}: {{ $value | quote }}
{{- end }}
{{- range $n, $value := $operator.allowedRepositoryAddresses }}
OPERATOR__ALLOWEDREPOSITORYADDRESSES__{{ $n }}: {{ $value | quote }}
{{- end }}
{{- range $n, $value := $operator.allowedSchemas }}
OPERATOR__ALLOWEDSCHEMAS__{{ $n }}: {{ $value | quote }}
{{- end }}
{{- if $operator.allowPlainCredentials }}
OPERATOR__ALLOWPLAINCREDENTIALS: "true"
{{- end }}
OPERATOR__REPORTINGSERVICEURI: {{ $operator.reportingServiceUri | quote }}
OPERATOR__BROKERHOST: {{ .Values.broker.host | quote }}
OPERATOR__BROKERVIRTUALHOST: {{ .Values.broker.virtualHost | quote }}
OPERATOR__BROKERPORT: {{ .Values.broker.port | quote }}
OPERATOR__BROKERUSER: {{ .Values.broker.username | quote }}
{{- range $name, $value := $operator.clusterDependencies }}
OPERATOR__CLUSTERDEPENDENCIES__{{ upper $name }}: {{ $value | quote }}
{{- end }}
OPERATOR__INGRESS__CLASSNAME: {{ $operator.ingress.className | quote }}
OPERATOR__INGRESS__CLUSTERISSUER: {{ $operator.ingress.clusterIssuer | quote }}
OPERATOR__INGRESS__TLS: {{ $operator.ingress.tls | quote }}
{{- $n := 0 }}
{{- range $name, $value := $operator.ingress.annotations }}
OPERATOR__INGRESS__ANNOTATIONS__{{ $n }}__NAME: {{ $name | quote }}
OPERATOR__INGRESS__ANNOTATIONS__{{ $n }}__VALUE: {{ $value | quote }}
{{- $n = add1 $n }}
{{- end }}
OPERATOR__SHUTDOWNGRACE: {{ printf "%ds" (int .Values.terminationGracePeriodSeconds) }}
KESTREL__ENDPOINTS__HTTP__URL: {{ .Values.configMap.kestrelHttpUrl | default (printf "http://+:%d" (int .Values.pod.httpPort)) | quote }}
{{- if .Values.serviceHooks.enabled }}
KESTREL__ENDPOINTS__HTTPS__URL: {{ .Values.configMap.kestrelHttpsUrl | default (printf "https://+:%d" (int .Values.pod.httpsPort)) | quote }}
KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH: {{ .Values.configMap.certPath | quote }}
KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH: {{ .Values.configMap.certKeyPath | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
OPERATOR__{{ $name }}: {{ include "octo.text" $value | quote }}
{{- end }}
{{- end }}

{{/* The secret settings. */}}
{{- define "octo.secretSettings" -}}
OPERATOR__BROKERPASSWORD: {{ .Values.broker.password | quote }}
OPERATOR__ROOTCACERTIFICATE: {{ .Values.secrets.rootCa | quote }}
{{- range $name, $value := .Values.operator.clusterSecrets }}
OPERATOR__CLUSTERSECRETS__{{ upper $name }}: {{ $value | quote }}
{{- end }}
{{- range $name, $value := .Values.secretSettings }}
OPERATOR__{{ $name }}: {{ include "octo.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Not empty if there are any: then there is a Secret. */}}
{{- define "octo.hasSecretSettings" -}}
{{- range $name, $value := include "octo.secretSettings" . | fromYaml }}{{ if $value }}yes{{ end }}{{ end }}
{{- end }}

{{/* The secret settings that the container gets: without those that extraEnv sets, directly or by a file. */}}
{{- define "octo.givenSecretSettings" -}}
{{- $other := dict }}
{{- range .Values.extraEnv }}{{ $_ := set $other (trimSuffix "__FILE" .name) true }}{{ end }}
{{- range $name, $value := include "octo.secretSettings" . | fromYaml }}
{{- if and $value (not (hasKey $other $name)) }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where the secret settings are mounted as files. */}}
{{- define "octo.secretFiles" -}}/secrets{{- end }}

{{/*
Not empty if they are mounted as files: then there is a volume. With existingSecret they are not, because it may have the same setting, and the
operator does not start with a setting both in a file and in the environment. If both are in the environment, the chart's wins.
*/}}
{{- define "octo.hasSecretFiles" -}}
{{- if and .Values.secretFiles (not .Values.existingSecret) (include "octo.givenSecretSettings" . | fromYaml) }}yes{{ end }}
{{- end }}
