{{/* Where a login may redirect to: the values of a map, so that an overlay adds one without losing the others. */}}
{{- define "supabase.auth.redirects" -}}
{{- $urls := list -}}
{{- range $name, $url := .Values.auth.redirectUrls }}{{- if $url }}{{- $urls = append $urls $url }}{{- end }}{{- end -}}
{{- join "," $urls -}}
{{- end -}}

{{/* The public address of GoTrue: its own routes are below it, so it ends in the path under which Kong serves it. */}}
{{- define "supabase.auth.url" -}}{{ include "supabase.publicUrl" . }}/auth/v1{{- end -}}

{{/* The OAuth providers that extraEnv switches on, as in GOTRUE_EXTERNAL_<provider>_ENABLED: a JSON array. */}}
{{- define "supabase.auth.providers" -}}
{{- $providers := list -}}
{{- range $name, $value := .Values.auth.extraEnv -}}
{{- $provider := regexReplaceAll "^GOTRUE_EXTERNAL_(.+)_ENABLED$" $name "${1}" -}}
{{- if and (ne $provider $name) (eq (toString $value) "true") (not (has $provider (list "EMAIL" "PHONE" "ANONYMOUS_USERS" "WEB3_SOLANA" "WEB3_ETHEREUM"))) -}}
{{- $providers = append $providers $provider -}}
{{- end -}}
{{- end -}}
{{- toJson $providers -}}
{{- end -}}
