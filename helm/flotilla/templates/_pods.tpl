{{/* What all pods of the release have in common: nobody may do more than what it is there for. */}}

{{- define "flotilla.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end -}}

{{- define "flotilla.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* A secret that is mounted as one file; nobody but the program's group reads it. Of (list volume secret key file). */}}
{{- define "flotilla.secretVolume" -}}
- name: {{ index . 0 }}
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 288 # 0440: a number with a leading zero is not the same in every YAML.
    items: [{key: {{ index . 2 }}, path: {{ index . 3 }}}]
{{- end -}}

{{/*
The volume of a secret that a service reads from a file, and its folder: from the variable that names the file. The
prefix keeps it apart from `database` and `database-owner`.
*/}}
{{- define "flotilla.secretName" -}}
secret-{{ trimPrefix "FLOTILLA_" . | trimSuffix "_FILE" | lower | replace "_" "-" }}
{{- end -}}

{{/* The container that migrates, in a pod of a service or of its own. Of (list $ name service). */}}
{{- define "flotilla.migrate" -}}
{{- $root := index . 0 -}}
{{- $service := index . 2 -}}
- name: migrate
  image: {{ include "flotilla.image" (list $root $service.image) }}
  {{- include "flotilla.container" $root | nindent 2 }}
  args: [migrate]
  env:
    - {name: FLOTILLA_OWNER_DATABASE_URL_FILE, value: /run/secrets/flotilla/owner/url}
    - {name: FLOTILLA_APP_ROLE, value: {{ $service.database.appRole | quote }}}
  resources: {{ toJson $service.resources }}
  volumeMounts:
    - {name: database-owner, mountPath: /run/secrets/flotilla/owner, readOnly: true}
{{- end -}}

{{- define "flotilla.migrateVolume" -}}
{{- include "flotilla.secretVolume" (list "database-owner" .database.ownerSecret .database.ownerKey "url") -}}
{{- end -}}
