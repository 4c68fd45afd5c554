{{/* Where a login may redirect to: the values of a map, so that an overlay adds one without losing the others. */}}
{{- define "supabase.auth.redirects" -}}
{{- $urls := list -}}
{{- range $name, $url := .Values.auth.redirectUrls }}{{- if $url }}{{- $urls = append $urls $url }}{{- end }}{{- end -}}
{{- join "," $urls -}}
{{- end -}}
