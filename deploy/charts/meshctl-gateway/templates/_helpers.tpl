{{- define "meshctl-gateway.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "meshctl-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "meshctl-gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are selected, by the Service and by Gateways. */}}
{{- define "meshctl-gateway.selectorLabels" -}}
{{- $name := include "meshctl-gateway.fullname" . -}}
{{- default (dict "app" $name "istio" (trimPrefix "istio-" $name)) .Values.labels | toYaml -}}
{{- end -}}

{{- define "meshctl-gateway.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/name" .Chart.Name
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" (.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/component" "gateway"
  "app.kubernetes.io/part-of" "meshctl" -}}
{{- $selector := include "meshctl-gateway.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (dict) .Values.commonLabels $own $selector | toYaml -}}
{{- end -}}

{{/* An image: a registry for all, repository, and digest or tag. Takes a dict of root and image. */}}
{{- define "meshctl-gateway.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Pull secrets as Kubernetes wants them. */}}
{{- define "meshctl-gateway.imagePullSecrets" -}}
{{- $found := list -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets -}}
{{- $found = append $found (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- if $found }}
imagePullSecrets: {{ toYaml $found | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "meshctl-gateway.xds" -}}
{{- default (printf "meshctl.%s.svc:15010" .Release.Namespace) .Values.xds.address -}}
{{- end -}}
