{{/* What NetworkPolicies are made of. Each of them allows one edge, in one direction. */}}

{{/* The names of all services, as JSON. Of $. */}}
{{- define "flotilla.serviceNames" -}}
{{- keys (include "flotilla.services" . | fromYaml) | sortAlpha | toJson -}}
{{- end -}}

{{/* A selector for the pods of these components. Of (list $ names). */}}
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
The ports of these addresses, as JSON. An address is `host:port`, or a URL, whose scheme decides if it has no port. Of a
list.
*/}}
{{- define "flotilla.portsOf" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $address := trim . -}}
{{- $authority := regexReplaceAll "^[a-zA-Z]+://([^/?#]*@)?([^/?#]*).*$" $address "${2}" -}}
{{- $scheme := ternary "80" "443" (hasPrefix "http://" (lower $address)) -}}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" | default $scheme | int -}}
{{- if or (lt $port 1) (gt $port 65535) -}}
{{- fail (printf "%s: a port is a number from 1 to 65535" $authority) -}}
{{- end -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/*
The ports of an edge to a neighbour: those that are set, or that of the variable with its address, which is a setting or,
for a service of your own, in `extraEnv`. Of (dict "service" "edge" "at"); the last is named in error messages.
*/}}
{{- define "flotilla.neighbourPorts" -}}
{{- $setting := .edge.setting | default "" -}}
{{- $address := get .service.settings $setting | toString | trim -}}
{{- range .service.extraEnv -}}
{{- if eq .name $setting }}{{ $address = .value | default "" | trim }}{{ end -}}
{{- end -}}
{{- if .edge.ports -}}
{{- toJson .edge.ports -}}
{{- else if not $setting -}}
{{- fail (printf "%s: set ports, or name in setting the variable that has its address" .at) -}}
{{- else if not $address -}}
{{- fail (printf "%s.setting: neither settings nor extraEnv has a value for %s; set ports" .at $setting) -}}
{{- else -}}
{{- include "flotilla.portsOf" (list $address) -}}
{{- end -}}
{{- end -}}

{{/*
Allows traffic from pods of the release. Of (dict "root" "name" "of" "ports" "peers"). Without peers it may go anywhere,
which Kubernetes expresses by leaving `to` out.
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

{{/* Allows traffic to pods of the release. Of (dict "root" "name" "of" "ports" "peers"); left out without peers. */}}
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
