{{/* The schemas of the API; the first one is PostgREST's default, so `public` always leads. */}}
{{- define "supabase.rest.schemas" -}}
{{- $schemas := list "public" -}}
{{- range $name, $enabled := .Values.rest.schemas }}
{{- if and $enabled (ne $name "public") }}{{- $schemas = append $schemas $name }}{{- end }}
{{- end -}}
{{- join "," $schemas -}}
{{- end -}}
