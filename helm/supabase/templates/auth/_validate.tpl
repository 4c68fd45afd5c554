{{/* Refuses settings with which GoTrue starts and nobody can log in. Renders nothing. */}}
{{- define "supabase.auth.validate" -}}
{{- $auth := .Values.auth -}}
{{- if $auth.enabled -}}
{{- $given := merge (dict) $auth.extraEnv $auth.extraSecretEnv -}}
{{- $sendsMail := or $auth.smtp.enabled (hasKey $given "GOTRUE_SMTP_HOST") (eq (toString $auth.extraEnv.GOTRUE_HOOK_SEND_EMAIL_ENABLED) "true") -}}
{{- $byMail := ne (toString $auth.extraEnv.GOTRUE_EXTERNAL_EMAIL_ENABLED) "false" -}}
{{- if and $auth.signup $byMail (not $auth.autoconfirmEmail) (not $sendsMail) -}}
{{- fail "auth.smtp.enabled: nobody who signs up could confirm an address, because no mail is sent; set auth.smtp, or auth.signup to false, or (without real users) auth.autoconfirmEmail to true" -}}
{{- end -}}
{{- $providers := include "supabase.auth.providers" . | fromJsonArray -}}
{{- range $provider := $providers -}}
{{- range $key, $place := dict "CLIENT_ID" "auth.extraEnv" "SECRET" "auth.extraSecretEnv" -}}
{{- $name := printf "GOTRUE_EXTERNAL_%s_%s" $provider $key -}}
{{- if not (hasKey $given $name) -}}
{{- fail (printf "auth.extraEnv.GOTRUE_EXTERNAL_%s_ENABLED: the provider refuses every login without %s; add it to %s" $provider $name $place) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (or $sendsMail $providers) (not $auth.siteUrl) -}}
{{- fail "auth.siteUrl must be set where mails are sent or a provider is on: without it the links of mails and logins lead to the dashboard, which asks for its own login; write the address of your application" -}}
{{- end -}}
{{- end -}}
{{- end -}}
