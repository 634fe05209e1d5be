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
The ports that these addresses lead to, as JSON: URLs, whose scheme says it where nothing else does, or `host:port`. Of a
list.
*/}}
{{- define "flotilla.portsOf" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $authority := regexReplaceAll "^[a-zA-Z]+://([^/?#]*@)?([^/?#]*).*$" . "${2}" -}}
{{- $scheme := ternary "80" "443" (hasPrefix "http://" (lower .)) -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $authority | trimPrefix ":" | default $scheme | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* The ports of an edge to whom a service calls. Of (dict "service" "edge" "at"), the last for complaints. */}}
{{- define "flotilla.neighbourPorts" -}}
{{- $setting := .edge.setting | default "" -}}
{{- $address := get .service.settings $setting | toString -}}
{{- if .edge.ports -}}
{{- toJson .edge.ports -}}
{{- else if not $setting -}}
{{- fail (printf "%s: say its ports, or by `setting` which of the service's settings says where it is" .at) -}}
{{- else if not $address -}}
{{- fail (printf "%s.setting: the service has no setting %s; say the ports" .at $setting) -}}
{{- else -}}
{{- include "flotilla.portsOf" (list $address) -}}
{{- end -}}
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
