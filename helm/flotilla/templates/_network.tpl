{{/* The halves of NetworkPolicies. */}}

{{/* Names of services, as JSON. Of $. */}}
{{- define "flotilla.serviceNames" -}}
{{- keys (include "flotilla.services" . | fromYaml) | sortAlpha | toJson -}}
{{- end -}}

{{/* Pods of these components. Of (list $ names). */}}
{{- define "flotilla.pods" -}}
{{- $root := index . 0 -}}
matchLabels: {app.kubernetes.io/name: flotilla, app.kubernetes.io/instance: {{ $root.Release.Name }}}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: {{ index . 1 | toJson }}}
{{- end -}}

{{- define "flotilla.ports" -}}
{{- range . }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end -}}

{{/*
An edge out of pods of the release. Of (dict "root" "name" "of" "ports" "peers"): no peers are all peers, which
Kubernetes says by leaving `to` out.
*/}}
{{- define "flotilla.egress" }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "flotilla.name" .root }}-{{ .name }}
  labels: {{- include "flotilla.labels" (list .root "network") | nindent 4 }}
spec:
  podSelector: {{- include "flotilla.pods" (list .root .of) | nindent 4 }}
  policyTypes: [Egress]
  egress:
    - ports: {{- include "flotilla.ports" .ports | trim | nindent 8 }}
      {{- with .peers }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* An edge into pods of the release. Of (dict "root" "name" "of" "ports" "peers"): no peers are none. */}}
{{- define "flotilla.ingress" }}
{{- if .peers }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "flotilla.name" .root }}-{{ .name }}
  labels: {{- include "flotilla.labels" (list .root "network") | nindent 4 }}
spec:
  podSelector: {{- include "flotilla.pods" (list .root .of) | nindent 4 }}
  policyTypes: [Ingress]
  ingress:
    - ports: {{- include "flotilla.ports" .ports | trim | nindent 8 }}
      from: {{- toYaml .peers | nindent 8 }}
{{- end }}
{{- end -}}
