{{/* A Job that asks until it is done, and the container of one that runs the command line. */}}

{{/* Of (list $ name args variables). */}}
{{- define "flotilla.ask" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ include "flotilla.image" (list $root $root.Values.cli.image) }}
  {{- include "flotilla.container" $root | nindent 2 }}
  args: {{ index . 2 | toJson }}
  {{- with index . 3 }}
  env:
    {{- include "flotilla.env" . | trim | nindent 4 }}
  {{- end }}
  resources: {{ toJson $root.Values.cli.resources }}
{{- end -}}

{{/* Of (list $ component container volumes), the last two as YAML. */}}
{{- define "flotilla.job" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $full := printf "%s-%s" (include "flotilla.name" $root) $component -}}
{{- $spec := include "flotilla.jobSpec" . }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $full }}
  labels: {{- include "flotilla.labels" (list $root $component) | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $full }}-{{ sha256sum $spec | trunc 8 }}
  labels: {{- include "flotilla.labels" (list $root $component) | nindent 4 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}

{{- define "flotilla.jobSpec" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
# Servers that come up at the same time may take a while: with pauses that double, about twenty minutes.
backoffLimit: 8
template:
  metadata:
    labels: {{- include "flotilla.selector" (list $root $component) | nindent 6 }}
      {{- with $root.Values.commonLabels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  spec:
    serviceAccountName: {{ include "flotilla.name" $root }}-{{ $component }}
    {{- include "flotilla.pod" $root | nindent 4 }}
    restartPolicy: Never
    containers:
      {{- index . 2 | nindent 6 }}
    {{- with index . 3 }}
    volumes:
      {{- . | nindent 6 }}
    {{- end }}
{{- end -}}
