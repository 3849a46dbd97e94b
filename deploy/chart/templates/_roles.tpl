{{/*
What is served, as JSON: the namespace ("" for all), and whether kinds of the whole cluster are used. As in the chart of
External Secrets Operator, scopedRBAC leaves them out, unless scopedClusterKinds has them.
*/}}
{{- define "esa.scope" -}}
{{- $values := .Values -}}
{{- $whole := or (not $values.scopedRBAC) $values.scopedClusterKinds -}}
{{- dict
  "namespace" $values.scopedNamespace
  "clusterStores" (and $whole $values.processClusterStore)
  "clusterGenerators" (and $whole $values.processClusterGenerator)
  "clusterExternalSecrets" (and (not $values.scopedNamespace) $values.processClusterExternalSecret)
  | toJson -}}
{{- end -}}

{{/* A role and its binding to the program's ServiceAccount, of (dict "root" "program" "kind" "namespace" "name" "rules"). */}}
{{- define "esa.role" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "esa.labels" . | nindent 4 }}
rules:
  {{- .rules | trim | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "esa.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "esa.service-account" . }}
    namespace: {{ include "esa.namespace" .root }}
{{- end -}}

{{/* All roles of a program, of (dict "root" "program" "cluster" rules "namespaced" rules "own" rules). */}}
{{- define "esa.roles" -}}
{{- $values := .root.Values -}}
{{- if $values.rbac.create -}}
{{- $name := include "esa.program-name" . -}}
{{- $namespace := include "esa.namespace" .root -}}
{{- $it := dict "root" .root "program" .program "name" $name -}}
{{- if $values.scopedRBAC -}}
{{- include "esa.role" (merge (dict "kind" "ClusterRole" "rules" .cluster) $it) -}}
{{- include "esa.role" (merge (dict "kind" "Role" "namespace" $namespace "rules" (printf "%s\n%s" .own (include "esa.marker-rules" .))) $it) -}}
{{- $scoped := ternary (printf "%s-scoped" $name) $name (eq $values.scopedNamespace $namespace) -}}
{{- include "esa.role" (merge (dict "kind" "Role" "namespace" $values.scopedNamespace "name" $scoped "rules" .namespaced) $it) -}}
{{- else -}}
{{- include "esa.role" (merge (dict "kind" "ClusterRole" "rules" (printf "%s\n%s" (trim .namespaced) (trim .cluster))) $it) -}}
{{- include "esa.role" (merge (dict "kind" "Role" "namespace" $namespace "rules" .own) $it) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The key of the pending marker, where no ClusterRole on Secrets has it. */}}
{{- define "esa.marker-rules" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [external-secrets-admission-marker]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
{{- end -}}
