{{/* What unqualified names are looked up in beside the request's own schema. */}}
{{- define "supabase.rest.searchPath" -}}public,extensions{{- end -}}

{{/* The schemas of the API; the first one is PostgREST's default, so `public` always leads. */}}
{{- define "supabase.rest.schemas" -}}
{{- $schemas := list "public" -}}
{{- range $name, $enabled := .Values.rest.schemas }}
{{- if and $enabled (ne $name "public") }}{{- $schemas = append $schemas $name }}{{- end }}
{{- end -}}
{{- join "," $schemas -}}
{{- end -}}
