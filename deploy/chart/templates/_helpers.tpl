{{/* Name of the chart's objects. The release of the articles, external-secrets, has the names of the plain manifests. */}}
{{- define "esa.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if and (eq .Release.Name "external-secrets") (not .Values.nameOverride) -}}
{{- .Chart.Name -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "esa.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* Labels by which Pods are chosen; they never change. Of (dict "root" $ "program" ...). */}}
{{- define "esa.selector" -}}
app.kubernetes.io/name: external-secrets-admission
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .program }}
{{- end -}}

{{/* Labels of every object; "program" may be missing. */}}
{{- define "esa.labels" -}}
app.kubernetes.io/name: external-secrets-admission
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .program }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: external-secrets-admission
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "esa.program-name" -}}
{{- printf "%s-%s" (include "esa.fullname" .root) .program -}}
{{- end -}}

{{- define "esa.service-account" -}}
{{- $values := ternary .root.Values.webhook .root.Values (eq .program "webhook") -}}
{{- if $values.serviceAccount.create -}}
{{- $values.serviceAccount.name | default (include "esa.program-name" .) -}}
{{- else -}}
{{- $values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "esa.image" -}}
{{- $common := .root.Values.image -}}
{{- $own := ternary .root.Values.webhook.image $common (eq .program "webhook") -}}
{{- $repository := .root.Values.global.repository | default $own.repository | default $common.repository -}}
{{- $digest := $own.digest | default $common.digest -}}
{{- if $digest -}}
{{- printf "%s@%s" $repository $digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($own.tag | default $common.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Whose token logs in to Vault for objects of KES: namespace/name. */}}
{{- define "esa.kes-service-account" -}}
{{- $account := .Values.kes.serviceAccount -}}
{{- $poller := include "esa.service-account" (dict "root" . "program" "poller") -}}
{{- printf "%s/%s" ($account.namespace | default (include "esa.namespace" .)) ($account.name | default $poller) -}}
{{- end -}}

{{/* The rules below know every kind of generator that can be used. */}}
{{- define "esa.generators" -}}
- ecrauthorizationtokens
- fakes
- githubaccesstokens
- mfas
- passwords
- sshkeys
- stssessiontokens
- uuids
- vaultdynamicsecrets
- webhooks
{{- end -}}

{{/* Every namespaced kind of generator that is known. */}}
{{- define "esa.all-generators" -}}
- acraccesstokens
- beyondtrustworkloadcredentialsdynamicsecrets
- cloudsmithaccesstokens
- ecrauthorizationtokens
- fakes
- gcraccesstokens
- githubaccesstokens
- gitlabdeploytokens
- grafanas
- mfas
- passwords
- quayaccesstokens
- sshkeys
- stssessiontokens
- uuids
- vaultdynamicsecrets
- webhooks
{{- end -}}

{{- define "esa.ip-families" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end -}}

{{/* What asks cert-manager's cainjector for the CA. */}}
{{- define "esa.injector-annotations" -}}
{{- $manager := .Values.webhook.certManager -}}
{{- if and $manager.enabled $manager.addInjectorAnnotations -}}
cert-manager.io/inject-ca-from: {{ include "esa.namespace" . }}/{{ include "esa.program-name" (dict "root" . "program" "webhook") }}
{{- end -}}
{{- end -}}

{{/* Whether roles and hooks for objects of KES are there. */}}
{{- define "esa.kes" -}}
{{- if or .Values.kes.enabled .Values.kes.prepare -}}true{{- end -}}
{{- end -}}
