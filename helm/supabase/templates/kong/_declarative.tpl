{{/*
Kong's declarative configuration. Placeholders ${NAME} are filled from the environment by files/kong/entrypoint.sh,
so no key stands in a rendered object. Prefix routes match the longest path first; routes that start with `~` are
regular expressions and go before them.
*/}}

{{/* Asks for an API key (header or query `apikey`) of a consumer in one of the groups: "admin", "anon". */}}
{{- define "supabase.kong.apiKey" -}}
- name: key-auth
  config:
    key_names: [apikey]
    hide_credentials: false
- name: acl
  config:
    hide_groups_header: true
    allow: [{{ join ", " . }}]
{{- end -}}

{{/* Backends read the JWT from Authorization: a client that sent its key only as `apikey` gets it copied there. */}}
{{- define "supabase.kong.bearerFromApiKey" -}}
- name: request-transformer
  config:
    add:
      headers:
        - "Authorization: Bearer $(headers.apikey or query_params.apikey)"
{{- end -}}

{{- define "supabase.kong.cors" -}}
- name: cors
  config:
    {{- $origins := list }}
    {{- range $name, $origin := .Values.kong.corsOrigins }}{{- if $origin }}{{- $origins = append $origins $origin }}{{- end }}{{- end }}
    origins: {{ $origins | default (list "*") | toJson }}
    methods: [GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS]
    credentials: {{ if $origins }}true{{ else }}false{{ end }}
    max_age: 3600
    preflight_continue: false
{{- end -}}

{{/* Answers itself: (list status "message"). */}}
{{- define "supabase.kong.answer" -}}
- name: request-termination
  config:
    status_code: {{ index . 0 }}
    message: {{ index . 1 | quote }}
{{- end -}}

{{- define "supabase.kong.adminCidrs" -}}
{{- $cidrs := list -}}
{{- range $name, $cidr := .Values.studio.allowedCidrs }}{{- if $cidr }}{{- $cidrs = append $cidrs $cidr }}{{- end }}{{- end -}}
{{- with $cidrs }}
- name: ip-restriction
  config:
    allow: {{ toJson . }}
    status: 403
    message: "this address may not use the dashboard"
{{- end }}
{{- end -}}

{{/* A component that is switched off says so instead of falling through to the dashboard: (list $ "component" "/path/"). */}}
{{- define "supabase.kong.switchedOff" -}}
- name: {{ index . 1 }}-off
  url: http://127.0.0.1:8000
  routes:
    - name: {{ index . 1 }}-off
      strip_path: true
      paths: [{{ index . 2 }}]
  plugins:
    {{- include "supabase.kong.answer" (list 503 (printf "%s is switched off in this environment" (index . 1))) | nindent 4 }}
{{- end -}}

{{- define "supabase.kong.declarative" -}}
_format_version: "3.0"

consumers:
  - username: anon
    keyauth_credentials:
      - key: "${SUPABASE_ANON_KEY}"
    acls:
      - group: anon
  - username: service_role
    keyauth_credentials:
      - key: "${SUPABASE_SERVICE_ROLE_KEY}"
    acls:
      - group: admin
  {{- if .Values.studio.enabled }}
  - username: dashboard
    basicauth_credentials:
      - username: "${DASHBOARD_USERNAME}"
        password: "${DASHBOARD_PASSWORD}"
  {{- end }}

services:
  # The load balancer's health check: answered by Kong itself, without a key.
  - name: health
    url: http://127.0.0.1:8000
    routes:
      - name: health
        strip_path: true
        paths: [/healthz]
    plugins:
      {{- include "supabase.kong.answer" (list 200 "ok") | nindent 6 }}

  {{- if .Values.auth.enabled }}
  # Opened by browsers that follow a link or come back from a provider: they carry no key.
  {{- range $path := list "verify" "callback" "authorize" ".well-known/jwks.json" }}
  - name: auth-open-{{ $path | replace "/" "-" | replace "." "" | trimPrefix "-" }}
    url: {{ include "supabase.url" (list $ "auth") }}/{{ $path }}
    routes:
      - name: auth-open-{{ $path | replace "/" "-" | replace "." "" | trimPrefix "-" }}
        strip_path: true
        paths: [/auth/v1/{{ $path }}]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
  {{- end }}
  - name: auth-oauth-metadata
    url: {{ include "supabase.url" (list $ "auth") }}/.well-known/oauth-authorization-server
    routes:
      - name: auth-oauth-metadata
        strip_path: true
        paths: [/.well-known/oauth-authorization-server]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
  {{- range $path := list "acs" "metadata" }}
  - name: auth-saml-{{ $path }}
    url: {{ include "supabase.url" (list $ "auth") }}/sso/saml/{{ $path }}
    routes:
      - name: auth-saml-{{ $path }}
        strip_path: true
        paths: [/sso/saml/{{ $path }}, /auth/v1/sso/saml/{{ $path }}]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
  {{- end }}
  - name: auth
    url: {{ include "supabase.url" (list $ "auth") }}/
    routes:
      - name: auth
        strip_path: true
        paths: [/auth/v1/]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (list "admin" "anon") | nindent 6 }}
      {{- include "supabase.kong.bearerFromApiKey" $ | nindent 6 }}
  {{- else }}
  {{- include "supabase.kong.switchedOff" (list $ "auth" "/auth/v1") | nindent 2 }}
  {{- end }}

  {{- if .Values.rest.enabled }}
  # The description of every table and function. With and without the slash, so that neither reaches the dashboard.
  - name: rest-root
    url: {{ include "supabase.url" (list $ "rest") }}/
    routes:
      - name: rest-root
        strip_path: true
        paths: ["~/rest/v1/?$"]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (ternary (list "admin" "anon") (list "admin") .Values.rest.describeToAnon) | nindent 6 }}
      {{- include "supabase.kong.bearerFromApiKey" $ | nindent 6 }}
  - name: rest
    url: {{ include "supabase.url" (list $ "rest") }}/
    routes:
      - name: rest
        strip_path: true
        paths: [/rest/v1/]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (list "admin" "anon") | nindent 6 }}
      {{- include "supabase.kong.bearerFromApiKey" $ | nindent 6 }}
  - name: graphql
    url: {{ include "supabase.url" (list $ "rest") }}/rpc/graphql
    routes:
      - name: graphql
        strip_path: true
        paths: [/graphql/v1]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (list "admin" "anon") | nindent 6 }}
      - name: request-transformer
        config:
          add:
            headers:
              - "Content-Profile: graphql_public"
              - "Authorization: Bearer $(headers.apikey or query_params.apikey)"
  {{- else }}
  {{- include "supabase.kong.switchedOff" (list $ "rest" "/rest/v1") | nindent 2 }}
  {{- end }}

  {{- if .Values.realtime.enabled }}
  # The tenant's administration is for the inside of the cluster only.
  - name: realtime-admin
    url: {{ include "supabase.url" (list $ "realtime") }}/api
    routes:
      - name: realtime-admin
        strip_path: true
        paths: [/realtime/v1/api/tenants, /realtime/v1/api/openapi]
    plugins:
      {{- include "supabase.kong.answer" (list 403 "not served outside of the cluster") | nindent 6 }}
  - name: realtime-rest
    url: {{ include "supabase.url" (list $ "realtime") }}/api
    routes:
      - name: realtime-rest
        strip_path: true
        paths: [/realtime/v1/api]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (list "admin" "anon") | nindent 6 }}
      {{- include "supabase.kong.bearerFromApiKey" $ | nindent 6 }}
  # Kong sends the Service's name as Host, whose first label is the tenant that the release registers.
  - name: realtime
    url: {{ include "supabase.url" (list $ "realtime") }}/socket
    routes:
      - name: realtime
        strip_path: true
        paths: [/realtime/v1/]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
      {{- include "supabase.kong.apiKey" (list "admin" "anon") | nindent 6 }}
      - name: request-transformer
        config:
          add:
            headers:
              - "x-api-key: $(query_params.apikey or headers.apikey)"
  {{- else }}
  {{- include "supabase.kong.switchedOff" (list $ "realtime" "/realtime/v1") | nindent 2 }}
  {{- end }}

  {{- if .Values.storage.enabled }}
  # No key here: Storage checks JWTs itself, public objects need none, and S3 clients sign what they send.
  - name: storage
    url: {{ include "supabase.url" (list $ "storage") }}/
    routes:
      - name: storage
        strip_path: true
        paths: [/storage/v1/]
        request_buffering: false
        response_buffering: false
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
  {{- else }}
  {{- include "supabase.kong.switchedOff" (list $ "storage" "/storage/v1") | nindent 2 }}
  {{- end }}

  {{- if .Values.functions.enabled }}
  - name: functions
    url: {{ include "supabase.url" (list $ "functions") }}/
    read_timeout: {{ mul .Values.functions.timeoutSeconds 1000 }}
    routes:
      - name: functions
        strip_path: true
        paths: [/functions/v1/]
    plugins:
      {{- include "supabase.kong.cors" $ | nindent 6 }}
  {{- else }}
  {{- include "supabase.kong.switchedOff" (list $ "functions" "/functions/v1") | nindent 2 }}
  {{- end }}

  {{- if .Values.meta.enabled }}
  - name: meta
    url: {{ include "supabase.url" (list $ "meta") }}/
    routes:
      - name: meta
        strip_path: true
        paths: [/pg/]
    plugins:
      {{- include "supabase.kong.apiKey" (list "admin") | nindent 6 }}
      {{- include "supabase.kong.adminCidrs" $ | nindent 6 }}
  {{- end }}

  # Tools for language models speak to the dashboard without its login.
  - name: mcp
    url: http://127.0.0.1:8000
    routes:
      - name: mcp
        strip_path: true
        paths: [/api/mcp, /mcp]
    plugins:
      {{- include "supabase.kong.answer" (list 403 "not served by this installation") | nindent 6 }}

  {{- if .Values.studio.enabled }}
  # Everything else is the dashboard, behind its login.
  - name: studio
    url: {{ include "supabase.url" (list $ "studio") }}/
    routes:
      - name: studio
        strip_path: true
        paths: [/]
    plugins:
      {{- include "supabase.kong.adminCidrs" $ | nindent 6 }}
      - name: basic-auth
        config:
          hide_credentials: true
  {{- else }}
  - name: nothing
    url: http://127.0.0.1:8000
    routes:
      - name: nothing
        strip_path: true
        paths: [/]
    plugins:
      {{- include "supabase.kong.answer" (list 404 "no such route") | nindent 6 }}
  {{- end }}
{{- end -}}
