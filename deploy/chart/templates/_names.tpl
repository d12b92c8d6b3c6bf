{{- define "octo.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-%s" .Release.Name (.Values.nameOverride | default "communication-operator")) | lower | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of cluster-wide objects, which differs between installations. */}}
{{- define "octo.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "octo.fullname" .) }}
{{- end }}

{{- define "octo.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "octo.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* A Deployment's selector can never change. This is the official chart's, so that helm upgrade can replace that chart by this one. */}}
{{- define "octo.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default "octo-mesh-communication-operator" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "octo.labels" -}}
{{ include "octo.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "octo.image" -}}
{{ with .Values.image.privateRegistry }}{{ . }}/{{ end }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The namespaces of releases, as a list in JSON. */}}
{{- define "octo.releaseNamespaces" -}}
{{- list .Values.operator.poolNamespace .Values.operator.platformNamespace | compact | uniq | toJson }}
{{- end }}

{{/* The namespace in which pool resources are watched; "": all. */}}
{{- define "octo.watchNamespace" -}}
{{- .Values.operator.watchNamespace | default (ternary .Values.operator.poolNamespace "" (eq .Values.rbac.scope "namespace")) }}
{{- end }}
