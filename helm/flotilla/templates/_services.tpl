{{/* An entry of `services` with the defaults beneath it, and what follows from both. */}}

{{/*
Merges the second map into the first one. Helm's `merge` and `mergeOverwrite` treat 0, false and empty strings as
absent; here every value that is present wins, and null removes the key.
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
{{- $mounted := dict -}}
{{- range $variable, $secret := $service.secretFiles -}}
{{- $volume := include "flotilla.secretName" $variable -}}
{{- with get $mounted $volume -}}
{{- fail (printf "services.%s.secretFiles: %s and %s mount the same folder; rename one" $name . $variable) -}}
{{- end -}}
{{- $_ := set $mounted $volume $variable -}}
{{- end -}}
{{- $_ := set $all $name $service -}}
{{- end -}}
{{- end -}}
{{ toYaml $all }}
{{- end -}}

{{/*
Longer than everything that happens between the request to stop a pod and its end. A program whose delay takes more than
half of the time to stop refuses to start, so the chart does too. Of (list $ name service).
*/}}
{{- define "flotilla.graceSeconds" -}}
{{- $root := index . 0 -}}
{{- $service := index . 2 -}}
{{- $settings := deepCopy $root.Values.settings -}}
{{- include "flotilla.overlay" (list $settings $service.settings) -}}
{{- $stop := dig "FLOTILLA_SHUTDOWN_TIMEOUT_MS" 20000 $settings | int -}}
{{- $delay := dig "FLOTILLA_STOP_DELAY_MS" 1000 $settings | int -}}
{{- if gt (mul 2 $delay) $stop -}}
{{- $wrong := "services.%s: FLOTILLA_STOP_DELAY_MS (%d) is more than half of FLOTILLA_SHUTDOWN_TIMEOUT_MS (%d)" -}}
{{- fail (printf $wrong (index . 1) $delay $stop) -}}
{{- end -}}
{{- $least := add $service.preStopSeconds (div (add $stop 999) 1000) 5 -}}
{{- $service.terminationGracePeriodSeconds | default $least -}}
{{- end -}}

{{/* The settings that all services share. Of $. */}}
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
