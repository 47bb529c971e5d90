{{/* Generated from the webhook of the operator; do not edit. */}}
{{- define "meshctl.webhook.validation" -}}
rules:
- apiGroups: [networking.istio.io]
  apiVersions: ['*']
  operations: [CREATE, UPDATE, DELETE]
  resources: [gateways, virtualservices, destinationrules, serviceentries, workloadentries, workloadgroups, sidecars]
  scope: Namespaced
admissionReviewVersions: [v1]
matchPolicy: Equivalent
sideEffects: None
{{- end -}}
{{- define "meshctl.webhook.validation.path" -}}/validate{{- end -}}
