{{/*
How clients reach the RDS instance over TLS. With a CA bundle (database.caBundle) the certificate is verified by
every client that can; without one the link is encrypted but the server's identity is not checked.
*/}}

{{- define "supabase.database.hasCa" -}}
{{- if or .Values.database.caBundle.pem .Values.database.caBundle.configMap }}true{{- end -}}
{{- end -}}

{{- define "supabase.database.caConfigMap" -}}
{{- if and .Values.database.caBundle.pem .Values.database.caBundle.configMap -}}
{{- fail "database.caBundle: give either `pem` or `configMap`, not both" -}}
{{- end -}}
{{- .Values.database.caBundle.configMap | default (include "supabase.name" (list . "database-ca")) -}}
{{- end -}}

{{/* Where the bundle is mounted in every container that reads it from a file. */}}
{{- define "supabase.database.caPath" -}}/etc/supabase/database-ca/ca.pem{{- end -}}

{{- define "supabase.database.caVolume" -}}
{{- if include "supabase.database.hasCa" . }}
- name: database-ca
  configMap:
    name: {{ include "supabase.database.caConfigMap" . }}
    items:
      - key: {{ .Values.database.caBundle.key }}
        path: ca.pem
{{- end }}
{{- end -}}

{{- define "supabase.database.caMount" -}}
{{- if include "supabase.database.hasCa" . }}
- name: database-ca
  mountPath: /etc/supabase/database-ca
  readOnly: true
{{- end }}
{{- end -}}

{{/* libpq and pgx: verify-full with the bundle as a file. */}}
{{- define "supabase.database.libpqQuery" -}}
{{- if include "supabase.database.hasCa" . -}}
sslmode=verify-full&sslrootcert={{ include "supabase.database.caPath" . }}
{{- else -}}
sslmode=require
{{- end -}}
{{- end -}}

{{/* node-postgres takes `require` for `verify-full`; it trusts the bundle through NODE_EXTRA_CA_CERTS. */}}
{{- define "supabase.database.nodeQuery" -}}
{{- if include "supabase.database.hasCa" . -}}sslmode=verify-full{{- else -}}sslmode=no-verify{{- end -}}
{{- end -}}

{{/* (list $ "role" "sslmode=..."): the password comes from DATABASE_PASSWORD, an env entry of the same container. */}}
{{- define "supabase.database.url" -}}
{{- $root := index . 0 -}}
{{- $host := $root.Values.database.host | required "database.host must be set: the host name of the RDS instance" -}}
{{- include "supabase.database.urlOf" (list $root $host (index . 1) (index . 2)) -}}
{{- end -}}

{{/* The same of another host: (list $ "host" "role" "sslmode=..."). */}}
{{- define "supabase.database.urlOf" -}}
{{- $database := (index . 0).Values.database -}}
postgres://{{ index . 2 }}:$(DATABASE_PASSWORD)@{{ index . 1 }}:{{ $database.port }}/{{ $database.name }}?{{ index . 3 }}
{{- end -}}
