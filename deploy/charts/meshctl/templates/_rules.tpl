{{/* Generated from the permissions of the operator; do not edit. */}}
{{- define "meshctl.rules.cluster" -}}
# what is compiled; get repairs a single object
- apiGroups: [networking.istio.io]
  resources: [gateways, virtualservices, destinationrules, serviceentries, workloadentries, workloadgroups, sidecars]
  verbs: [get, list, watch]
# conditions
- apiGroups: [networking.istio.io]
  resources: [gateways/status, virtualservices/status, destinationrules/status, serviceentries/status, workloadentries/status, workloadgroups/status, sidecars/status]
  verbs: [get, patch, update]
# services, endpoints and workloads
- apiGroups: ['']
  resources: [services, pods, nodes, namespaces]
  verbs: [list, watch]
# services, endpoints and workloads
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
# kinds that are installed later, or not at all
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get, list, watch]
# what happened to an object
- apiGroups: ['']
  resources: [events]
  verbs: [create, patch]
# as above, in the newer group
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
{{- define "meshctl.rules.secrets" -}}
# certificates for proxies
- apiGroups: ['']
  resources: [secrets]
  verbs: [list, watch]
{{- end -}}
{{- define "meshctl.rules.system" -}}
# mesh-wide settings
- apiGroups: ['']
  resources: [configmaps]
  verbs: [list, watch]
  resourceNames: [istio]
# election of the replica that writes status, and which replicas there are
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update, patch, list, watch]
{{- end -}}
{{- define "meshctl.rules.webhook.cluster" -}}
# whom API servers trust when they ask the webhook
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations]
  verbs: [get, patch]
  resourceNames: ['{{ include "meshctl.webhookConfiguration" . }}']
{{- end -}}
{{- define "meshctl.rules.webhook.system" -}}
# the first certificate of the webhook; a name cannot be asked for here
- apiGroups: ['']
  resources: [secrets]
  verbs: [create]
# the certificate of the webhook
- apiGroups: ['']
  resources: [secrets]
  verbs: [get, update]
  resourceNames: ['{{ include "meshctl.webhookSecret" . }}']
{{- end -}}
