{{- define "meshctl-crds.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: meshctl
{{- end -}}

{{/* Whether a CRD is for this release to install: it is not there, or it came from this release, or everything is to be installed. Takes
a dict of root and name. `helm template` sees no cluster, so it prints all. */}}
{{- define "meshctl-crds.isOurs" -}}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .name -}}
{{- if or (eq .root.Values.install "always") (not $found) -}}
true
{{- else -}}
{{- $said := $found.metadata.annotations | default dict -}}
{{- and (eq (get $said "meta.helm.sh/release-name") .root.Release.Name) (eq (get $said "meta.helm.sh/release-namespace") .root.Release.Namespace) -}}
{{- end -}}
{{- end -}}
