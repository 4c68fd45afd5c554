{{/*
Peers of NetworkPolicies. Everything is denied by default (templates/network/default-deny.yaml);
each component's own policy opens exactly the edges that it has.
*/}}

{{/* Ingress from components of this release: (list $ "port" "auth" "studio"...). */}}
{{- define "supabase.network.from" -}}
{{- $root := index . 0 -}}
- from:
    {{- range (slice . 2) }}
    - podSelector:
        matchLabels:
          {{- include "supabase.selectorLabels" (list $root .) | nindent 10 }}
    {{- end }}
  ports:
    - protocol: TCP
      port: {{ include "supabase.port" (index . 1) }}
{{- end -}}

{{/* Egress to components of this release, each on its own port: (list $ "auth" "rest"...). */}}
{{- define "supabase.network.to" -}}
{{- $root := index . 0 -}}
{{- range (slice . 1) }}
- to:
    - podSelector:
        matchLabels:
          {{- include "supabase.selectorLabels" (list $root .) | nindent 10 }}
  ports:
    - protocol: TCP
      port: {{ include "supabase.port" . }}
{{- end }}
{{- end -}}

{{- define "supabase.network.toDatabase" -}}
- to:
    {{- range $name, $cidr := .Values.networkPolicy.databaseCidrs }}
    {{- if $cidr }}
    - ipBlock:
        cidr: {{ $cidr }}
    {{- end }}
    {{- end }}
  ports:
    - protocol: TCP
      port: {{ .Values.database.port }}
{{- end -}}

{{/* AWS APIs and the internet over HTTPS; never the instance metadata service. */}}
{{- define "supabase.network.toHttps" -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          - 169.254.169.254/32
  ports:
    - protocol: TCP
      port: 443
{{- end -}}

{{- define "supabase.network.metadata" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "supabase.metadata" . | nindent 2 }}
{{- end -}}

{{- define "supabase.network.selector" -}}
podSelector:
  matchLabels:
    {{- include "supabase.selectorLabels" . | nindent 4 }}
{{- end -}}
