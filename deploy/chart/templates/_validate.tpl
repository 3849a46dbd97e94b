{{/*
What is wrong with the values, or means nothing here: JSON {"refusals": [...], "notes": [...]}. Values that only the chart
of External Secrets Operator has are in files/eso-values.yaml.
*/}}
{{- define "esa.remarks" -}}
{{- $values := .Values -}}
{{- $refusals := list -}}
{{- $notes := list -}}
{{- range .Files.Get "files/eso-values.yaml" | fromYamlArray -}}
{{- $found := $values -}}
{{- range $key := splitList "." .path -}}
{{- if and (kindIs "map" $found) (hasKey $found $key) -}}
{{- $found = index $found $key -}}
{{- else -}}
{{- $found = "" -}}
{{- end -}}
{{- end -}}
{{- if not (or (has $found (.means | default list)) (eq (toString $found) "")) -}}
{{- $remark := printf "%s: %s" .path .text -}}
{{- if .refused -}}{{- $refusals = append $refusals $remark -}}{{- else -}}{{- $notes = append $notes $remark -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.scopedRBAC (not $values.scopedNamespace) -}}
{{- $refusals = append $refusals "scopedRBAC: needs scopedNamespace, whose Roles it makes" -}}
{{- end -}}
{{- $crds := $values.crds -}}
{{- $scope := include "esa.scope" . | fromJson -}}
{{- range $pair := list
  (list $crds.createClusterExternalSecret $scope.clusterExternalSecrets "ClusterExternalSecret" "ClusterExternalSecret")
  (list $crds.createClusterSecretStore $scope.clusterStores "ClusterSecretStore" "ClusterStore")
  (list $crds.createClusterGenerator $scope.clusterGenerators "ClusterGenerator" "ClusterGenerator")
-}}
{{- if and $values.installCRDs (not (index $pair 0)) (index $pair 1) -}}
{{- $refusals = append $refusals (printf "crds.create%s: without the CRD, process%s has to be false too" (index $pair 2) (index $pair 3)) -}}
{{- end -}}
{{- end -}}
{{- if hasSuffix "external-secrets/external-secrets" .Values.image.repository -}}
{{- $refusals = append $refusals "image.repository: this is the image of External Secrets Operator; leave it out, or name a mirror of ours" -}}
{{- end -}}
{{- if and $values.extraCertificateAuthorities.configMap $values.extraCertificateAuthorities.secret -}}
{{- $refusals = append $refusals "extraCertificateAuthorities: name a configMap or a secret, not both" -}}
{{- end -}}
{{- if and $values.webhook.hostNetwork $values.hostNetwork (eq (int $values.metrics.listen.port) (int $values.webhook.metrics.listen.port)) -}}
{{- $refusals = append $refusals "webhook.metrics.listen.port: with hostNetwork of both programs it has to differ from metrics.listen.port" -}}
{{- end -}}
{{- if and (not $values.webhook.create) $crds.conversion.enabled -}}
{{- $notes = append $notes "webhook.create: without a webhook the CRDs convert nothing, and only v1 can be used" -}}
{{- end -}}
{{- dict "refusals" $refusals "notes" $notes | toJson -}}
{{- end -}}

{{- define "esa.validate" -}}
{{- $remarks := include "esa.remarks" . | fromJson -}}
{{- with $remarks.refusals -}}
{{- fail (printf "values that cannot be carried out:\n  %s" (join "\n  " .)) -}}
{{- end -}}
{{- end -}}
