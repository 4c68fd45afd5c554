{{- define "standin.fullname" -}}
{{ .Values.fullnameOverride | default (printf "%s-%s-%s" .Release.Name .Values.cloudProvider .Chart.Name) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "standin.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "standin.selector" . }}
{{- end }}

{{- define "standin.selector" -}}
app.kubernetes.io/name: {{ .Values.cloudProvider }}-{{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "standin.serviceAccount" -}}
{{ .Values.rbac.serviceAccount.name | default (include "standin.fullname" .) }}
{{- end }}
