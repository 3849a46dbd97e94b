{{/* Flags that both programs have, each on a line of its own, which the Deployment quotes. Of (dict "root" $ "program" ... "values" ...). */}}
{{- define "esa.common-args" -}}
{{- $values := .root.Values -}}
- --metrics-port={{ .values.metrics.listen.port }}
- --bind-address={{ $values.bindAddress }}
- --log-level={{ .values.log.level | default $values.log.level }}
- --webhook-configurations={{ include "esa.fullname" .root }}
{{- with $values.controllerClass }}
- --controller-class={{ . }}
{{- end }}
{{- $scope := include "esa.scope" .root | fromJson }}
{{- with $scope.namespace }}
- --scoped-namespace={{ . }}
{{- end }}
{{- if or $scope.namespace (not $scope.clusterStores) }}
- --process-cluster-store={{ $scope.clusterStores }}
{{- end }}
{{- if or $scope.namespace (not $scope.clusterGenerators) }}
- --process-cluster-generator={{ $scope.clusterGenerators }}
{{- end }}
{{- if ne $values.policyDefault "allow" }}
- --policy-default={{ $values.policyDefault }}
{{- end }}
{{- range $cloud := list "aws" "azure" "gcp" }}
{{- if index $values.ambientCredentials $cloud }}
- --{{ $cloud }}-ambient-credentials
{{- end }}
{{- end }}
{{- if $values.kes.enabled }}
- --kes
- --kes-service-account={{ include "esa.kes-service-account" .root }}
{{- with $values.kes.vaultAudience }}
- --kes-vault-audience={{ . }}
{{- end }}
{{- end }}
{{- with $values.storeLimits }}
- --store-max-in-flight={{ int .maxInFlight }}
- --store-rate-limit={{ .rateLimit }}
- --store-rate-burst={{ int .rateBurst }}
- --store-breaker-failures={{ int .breakerFailures }}
- --store-breaker-cool-down={{ .breakerCoolDown }}
{{- end }}
{{- end -}}

{{- define "esa.extra-args" -}}
{{- range $name, $value := .extraArgs }}
{{- if kindIs "invalid" $value }}
- --{{ $name }}
{{- else if eq (toString $value) "" }}
- --{{ $name }}
{{- else }}
- --{{ $name }}={{ $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* on and off without quotes are true and false to YAML. */}}
{{- define "esa.on-off" -}}
{{- if kindIs "bool" . -}}{{ ternary "on" "off" . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{- define "esa.is-openshift" -}}
{{- $adapt := .Values.global.compatibility.openshift.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}true{{- end -}}
{{- end -}}

{{/* A security context of the values without our own key in it, and without what OpenShift gives itself. */}}
{{- define "esa.security-context" -}}
{{- $context := omit .context "enabled" -}}
{{- if include "esa.is-openshift" .root -}}
{{- $context = omit $context "fsGroup" "runAsUser" "runAsGroup" -}}
{{- end -}}
{{- if and .context.enabled $context }}
securityContext:
  {{- toYaml $context | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Constraints of the values, with our labels where they name none. */}}
{{- define "esa.spread" -}}
{{- $selector := dict "matchLabels" (include "esa.selector" . | fromYaml) -}}
{{- $constraints := .values.topologySpreadConstraints | default .root.Values.global.topologySpreadConstraints -}}
{{- if and (not $constraints) (eq .program "webhook") -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraints = append $constraints (dict "maxSkew" 1 "topologyKey" $key "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- end -}}
{{- $complete := list -}}
{{- range $constraints -}}
{{- $complete = append $complete (merge (dict) . (dict "labelSelector" $selector)) -}}
{{- end -}}
{{- with $complete }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "esa.strategy" -}}
{{- if .values.strategy -}}
{{- toYaml .values.strategy -}}
{{- else -}}
type: RollingUpdate
rollingUpdate:
  {{- if .values.hostNetwork }}
  # A new Pod needs the ports that an old one has.
  maxUnavailable: 1
  maxSurge: 0
  {{- else }}
  maxUnavailable: 0
  maxSurge: 1
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Environment of both programs: proxies and CAs. A list. */}}
{{- define "esa.environment" -}}
{{- $list := list -}}
{{- $proxy := .Values.proxy -}}
{{- with $proxy.httpProxy -}}{{- $list = append $list (dict "name" "HTTP_PROXY" "value" .) -}}{{- end -}}
{{- with $proxy.httpsProxy -}}{{- $list = append $list (dict "name" "HTTPS_PROXY" "value" .) -}}{{- end -}}
{{- if or $proxy.httpProxy $proxy.httpsProxy -}}
{{- $list = append $list (dict "name" "NO_PROXY" "value" (list "$(KUBERNETES_SERVICE_HOST)" $proxy.noProxy | compact | join ",")) -}}
{{- end -}}
{{- $more := .Values.extraCertificateAuthorities -}}
{{- if or $more.configMap $more.secret -}}
{{- $list = append $list (dict "name" "NODE_EXTRA_CA_CERTS" "value" (printf "/etc/extra-certificate-authorities/%s" $more.key)) -}}
{{- end -}}
{{- toYaml $list -}}
{{- end -}}

{{- define "esa.volumes" -}}
{{- $more := .Values.extraCertificateAuthorities -}}
{{- $list := list -}}
{{- if $more.configMap -}}
{{- $list = append $list (dict "name" "extra-certificate-authorities" "configMap" (dict "name" $more.configMap)) -}}
{{- else if $more.secret -}}
{{- $list = append $list (dict "name" "extra-certificate-authorities" "secret" (dict "secretName" $more.secret)) -}}
{{- end -}}
{{- toYaml $list -}}
{{- end -}}

{{- define "esa.mounts" -}}
{{- $more := .Values.extraCertificateAuthorities -}}
{{- $list := list -}}
{{- if or $more.configMap $more.secret -}}
{{- $list = append $list (dict "name" "extra-certificate-authorities" "mountPath" "/etc/extra-certificate-authorities" "readOnly" true) -}}
{{- end -}}
{{- toYaml $list -}}
{{- end -}}

{{- define "esa.probe" -}}
{{- if .probe.enabled }}
{{ .name }}Probe:
  httpGet:
    path: {{ .path }}
    port: metrics
  {{- with omit .probe.spec "httpGet" "address" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
A Deployment of (dict "root" $ "program" "webhook"|"poller" "values" its-values "args" text "ports" text
"volumes" list "mounts" list).
*/}}
{{- define "esa.deployment" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $global := $root.Values.global -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "esa.program-name" . }}
  namespace: {{ include "esa.namespace" $root }}
  labels:
    {{- include "esa.labels" . | nindent 4 }}
  {{- with $values.deploymentAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ int $values.replicaCount }}
  revisionHistoryLimit: {{ int $values.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "esa.selector" . | nindent 6 }}
  strategy:
    {{- include "esa.strategy" . | nindent 4 }}
  template:
    metadata:
      labels:
        {{- include "esa.labels" . | nindent 8 }}
        {{- with merge (dict) $values.podLabels $global.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .program }}
        {{- with merge (dict) $values.podAnnotations $global.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "esa.service-account" . }}
      automountServiceAccountToken: {{ $values.serviceAccount.automount }}
      # Services of the namespace do not become variables of the programs.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ int $values.terminationGracePeriodSeconds }}
      {{- with include "esa.security-context" (dict "root" $root "context" $values.podSecurityContext) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with concat ($values.imagePullSecrets | default $root.Values.imagePullSecrets) $global.imagePullSecrets | uniq }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      {{- with $values.schedulerName }}
      schedulerName: {{ . }}
      {{- end }}
      {{- if $values.hostNetwork }}
      hostNetwork: true
      {{- end }}
      {{- if and $values.hostNetwork (eq $root.Values.dnsPolicy "ClusterFirst") }}
      dnsPolicy: ClusterFirstWithHostNet
      {{- else }}
      dnsPolicy: {{ $root.Values.dnsPolicy }}
      {{- end }}
      {{- with $root.Values.dnsConfig }}
      dnsConfig:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.hostAliases }}
      hostAliases:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.nodeSelector | default $global.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations | default $global.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity | default $global.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "esa.spread" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $values.extraInitContainers }}
      initContainers:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .program }}
          image: {{ include "esa.image" . }}
          imagePullPolicy: {{ ternary $values.image.pullPolicy $root.Values.image.pullPolicy (ne $values.image.pullPolicy "") }}
          args:
            - {{ .program }}
            {{- range list (include "esa.common-args" .) .args (include "esa.extra-args" $values) | join "\n" | splitList "\n" }}
            {{- with trimPrefix "- " . }}
            - {{ quote . }}
            {{- end }}
            {{- end }}
          ports:
            {{- with .ports }}
            {{- . | nindent 12 }}
            {{- end }}
            - name: metrics
              containerPort: {{ int $values.metrics.listen.port }}
          {{- $env := include "esa.environment" $root | fromYamlArray -}}
          {{- if $root.Values.kes.enabled -}}
          {{- range $name, $value := $root.Values.kes.env -}}
          {{- $env = append $env (dict "name" $name "value" (toString $value)) -}}
          {{- end -}}
          {{- end -}}
          {{- with concat $env $values.extraEnv }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- if $root.Values.kes.enabled }}
          {{- with $root.Values.kes.envFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with include "esa.probe" (dict "name" "liveness" "path" "/healthz" "probe" $values.livenessProbe) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          {{- with include "esa.probe" (dict "name" "readiness" "path" "/readyz" "probe" $values.readinessProbe) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          {{- with include "esa.security-context" (dict "root" $root "context" $values.securityContext) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with concat .mounts (include "esa.mounts" $root | fromYamlArray) $values.extraVolumeMounts }}
          volumeMounts:
            {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- with $values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with concat .volumes (include "esa.volumes" $root | fromYamlArray) $values.extraVolumes }}
      volumes:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.podSpecExtra }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end -}}

{{- define "esa.pod-disruption-budget" -}}
{{- $budget := .values.podDisruptionBudget -}}
{{- if $budget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $budget.nameOverride | default (include "esa.program-name" .) }}
  namespace: {{ include "esa.namespace" .root }}
  labels:
    {{- include "esa.labels" . | nindent 4 }}
spec:
  {{- if ne (toString $budget.minAvailable) "" }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- end }}
  # A Pod that is not ready holds up no drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "esa.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "esa.service-account-manifest" -}}
{{- if .values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "esa.service-account" . }}
  namespace: {{ include "esa.namespace" .root }}
  labels:
    {{- include "esa.labels" . | nindent 4 }}
    {{- with .values.serviceAccount.extraLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: {{ .values.serviceAccount.automount }}
{{- end }}
{{- end -}}
