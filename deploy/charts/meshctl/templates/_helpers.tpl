{{/* Name of namespaced objects. */}}
{{- define "meshctl.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of objects of the whole cluster: two releases of one name may stand in two namespaces. */}}
{{- define "meshctl.clusterName" -}}
{{- printf "%s-%s" (include "meshctl.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "meshctl.webhookConfiguration" -}}
{{- include "meshctl.clusterName" . -}}-validation
{{- end -}}

{{/* The Secret with the certificate of the webhook, which the operator makes and renews. */}}
{{- define "meshctl.webhookSecret" -}}
{{- include "meshctl.fullname" . -}}-webhook
{{- end -}}

{{- define "meshctl.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "meshctl.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are selected; they can never change. */}}
{{- define "meshctl.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of pods and objects that are chosen by people: ours may not be replaced by them. */}}
{{- define "meshctl.labels" -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" (.Chart.AppVersion | toString)
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/component" "control-plane"
  "app.kubernetes.io/part-of" "meshctl"
  "istio.io/rev" .Values.revision -}}
{{- $selector := include "meshctl.selectorLabels" . | fromYaml -}}
{{- mergeOverwrite (dict) .Values.commonLabels $own $selector | toYaml -}}
{{- end -}}

{{/* An image: a registry for all, repository, and digest or tag. Takes a dict of root and image. */}}
{{- define "meshctl.image" -}}
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
{{- define "meshctl.imagePullSecrets" -}}
{{- $found := list -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets -}}
{{- $found = append $found (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- if $found }}
imagePullSecrets: {{ toYaml $found | nindent 2 }}
{{- end -}}
{{- end -}}
