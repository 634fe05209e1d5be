{{/* An entry of `services` with the defaults beneath it, and what follows from it. */}}

{{/*
Puts the second map over the first one, which it changes. Helm's `merge` and `mergeOverwrite` take 0, false and empty
texts for absent; here whatever is there wins, and null takes out.
*/}}
{{- define "flotilla.overlay" -}}
{{- $under := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- $below := get $under $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $below) $value -}}
{{- include "flotilla.overlay" (list $below $value) -}}
{{- else if kindIs "invalid" $value -}}
{{- $_ := unset $under $key -}}
{{- else -}}
{{- $_ := set $under $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* All services, as YAML: whatever a template asks of one is there. Of $. */}}
{{- define "flotilla.services" -}}
{{- $root := . -}}
{{- $all := dict -}}
{{- range $name, $own := .Values.services -}}
{{- if kindIs "map" $own -}}
{{- $service := deepCopy $root.Values.defaults -}}
{{- $database := dict "existingSecret" (printf "%s-database" $name) "key" "url" "ownerSecret" (printf "%s-database-owner" $name) "ownerKey" "url" "appRole" (printf "%s_app" $name) "ports" (list 5432) "peers" list -}}
{{- $_ := merge $service (dict "settings" dict "secretFiles" dict "neighbours" dict "writes" dict "hears" list "paths" list) -}}
{{- $_ := set $service "database" $database -}}
{{- include "flotilla.overlay" (list $service $own) -}}
{{- range $setting, $value := $service.settings -}}
{{- if eq (toString $value) "" -}}
{{- fail (printf "services.%s.settings.%s: needs a value" $name $setting) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $all $name $service -}}
{{- end -}}
{{- end -}}
{{ toYaml $all }}
{{- end -}}

{{/* Longer than everything that happens between the wish to stop a pod and its end. Of (list $ service). */}}
{{- define "flotilla.graceSeconds" -}}
{{- $root := index . 0 -}}
{{- $service := index . 1 -}}
{{- $settings := deepCopy $root.Values.settings -}}
{{- include "flotilla.overlay" (list $settings $service.settings) -}}
{{- $stop := get $settings "FLOTILLA_SHUTDOWN_TIMEOUT_MS" | default 20000 | int -}}
{{- $least := add $service.preStopSeconds (div (add $stop 999) 1000) 5 -}}
{{- $service.terminationGracePeriodSeconds | default $least -}}
{{- end -}}

{{/* What all services are told alike. Of $. */}}
{{- define "flotilla.settings" -}}
FLOTILLA_KAFKA_BROKERS: {{ include "flotilla.brokers" . | quote }}
FLOTILLA_REGISTRY_URL: {{ include "flotilla.registry" . | quote }}
{{- with .Values.otlp.endpoint }}
FLOTILLA_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ include "flotilla.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* Settings as variables of a container. */}}
{{- define "flotilla.env" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ include "flotilla.text" $value | quote }}}
{{- end }}
{{- end -}}

{{/* Numbers that come from values files are floating-point; a million must not become 1e+06. */}}
{{- define "flotilla.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}
