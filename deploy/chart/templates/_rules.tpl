{{/* The operator's rights on pool resources, in the watched namespaces. */}}
{{- define "octo.watchRules" -}}
- apiGroups: [octo-mesh.meshmakers.io]
  resources: [communicationpools, deploymentsites]
  verbs: [get, list, watch, patch]
- apiGroups: [octo-mesh.meshmakers.io]
  resources: [communicationpools/status, deploymentsites/status]
  verbs: [patch]
{{- end }}

{{/* The rights in the namespaces of releases, for the operator and its helm and kubectl. These apply, which is patch and, for objects that do
     not exist yet, create. */}}
{{- define "octo.releaseRules" -}}
{{- $apply := "[get, list, watch, create, patch, delete]" -}}
# Pools that the controller asks for.
- apiGroups: [octo-mesh.meshmakers.io]
  resources: [communicationpools, deploymentsites]
  verbs: [get, list, create, patch, delete]
# Helm's revisions, the releases' and the brokers' secrets, unfinished events; who works on them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, create, patch, delete]
# Their own namespace, after which helm 3 asks.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
# Why a release is not ready.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch]
# What charts of workloads contain.
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts, persistentvolumeclaims]
  verbs: {{ $apply }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: {{ $apply }}
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: {{ $apply }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: {{ $apply }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: {{ $apply }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: {{ $apply }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end }}
