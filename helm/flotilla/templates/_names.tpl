{{/* How objects are called and labelled, and the images they run. */}}

{{- define "flotilla.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The labels that select: they never change. Of (list $ component). */}}
{{- define "flotilla.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: flotilla
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of every object. Of (list $ component). */}}
{{- define "flotilla.labels" -}}
{{- $root := index . 0 -}}
{{ include "flotilla.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of (list $ image). */}}
{{- define "flotilla.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $repository := $image.repository -}}
{{- with $root.Values.image.registry }}{{ $repository = printf "%s/%s" . $repository }}{{ end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ coalesce $image.tag $root.Values.image.tag $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/*
A Service of this namespace by a name that means the same in every one: KEDA asks Kafka from its own, and whoever
publishes into the fleet from theirs. Of (list $ name).
*/}}
{{- define "flotilla.host" -}}
{{- $root := index . 0 -}}
{{ include "flotilla.name" $root }}-{{ index . 1 }}.{{ $root.Release.Namespace }}.svc
{{- end -}}

{{- define "flotilla.brokers" -}}
{{- if .Values.kafka.bootstrapServers -}}
{{ .Values.kafka.bootstrapServers }}
{{- else if .Values.strimzi.enabled -}}
{{ include "flotilla.host" (list . "kafka-bootstrap") }}:9092
{{- else -}}
{{ fail "kafka.bootstrapServers: say where Kafka is, or switch strimzi.enabled on" }}
{{- end -}}
{{- end -}}

{{- define "flotilla.registry" -}}
{{- if .Values.registry.url -}}
{{ .Values.registry.url }}
{{- else if .Values.apicurio.enabled -}}
http://{{ include "flotilla.host" (list . "registry") }}:8080/apis/ccompat/v7
{{- else -}}
{{ fail "registry.url: say where the schema registry is, or switch apicurio.enabled on" }}
{{- end -}}
{{- end -}}

{{/* Orders and events outlive the release: what is uninstalled can be installed again, and finds them. */}}
{{- define "flotilla.keep" -}}
helm.sh/resource-policy: keep
{{- end -}}
