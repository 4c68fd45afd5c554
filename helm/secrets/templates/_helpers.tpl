{{- define "secrets.labels" -}}
app.kubernetes.io/name: supabase-secrets
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: supabase
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "secrets.storeName" -}}supabase-parameters{{- end -}}
