{{- define "database.selectorLabels" -}}
app.kubernetes.io/name: supabase-database
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "database.labels" -}}
{{ include "database.selectorLabels" . }}
app.kubernetes.io/part-of: supabase
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "database.image" -}}
{{- include "images.reference" (list .Values.imageRegistries .Values.image) -}}
{{- end -}}

{{- define "database.hasCa" -}}
{{- if and .Values.database.caBundle.pem .Values.database.caBundle.configMap -}}
{{- fail "database.caBundle: give either `pem` or `configMap`, not both" -}}
{{- end -}}
{{- if or .Values.database.caBundle.pem .Values.database.caBundle.configMap -}}true{{- end -}}
{{- end -}}

{{/* The scripts and SQL, as the data of a ConfigMap. */}}
{{- define "database.scripts" -}}
{{- range $path, $content := .Files.Glob "files/*" }}
{{ base $path }}: |
  {{- $content | toString | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Of what the Job's spec does not show: the scripts, and the version of the passwords. */}}
{{- define "database.inputsDigest" -}}
{{- printf "%s\n%s\n%s" (include "database.scripts" .) .Values.passwordsVersion .Values.database.caBundle.pem | sha256sum | trunc 16 -}}
{{- end -}}

{{- define "database.password" -}}
valueFrom:
  secretKeyRef:
    name: {{ . }}
    key: password
{{- end -}}

{{/* How psql reaches the server, as the master user. */}}
{{- define "database.connection" -}}
- name: PGHOST
  value: {{ .Values.database.host | required "database.host must be set: the host name of the RDS instance" | quote }}
- name: PGPORT
  value: {{ .Values.database.port | quote }}
- name: PGDATABASE
  value: {{ .Values.database.name | quote }}
- name: PGUSER
  value: {{ .Values.database.masterUsername | quote }}
- name: PGPASSWORD
  {{- include "database.password" .Values.existingSecrets.master | nindent 2 }}
- name: PGSSLMODE
  value: {{ ternary "verify-full" "require" (eq (include "database.hasCa" .) "true") }}
{{- if include "database.hasCa" . }}
- name: PGSSLROOTCERT
  value: /etc/supabase-database-ca/ca.pem
{{- end }}
{{- end -}}

{{- define "database.podSpec" -}}
serviceAccountName: {{ .Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 70
  runAsGroup: 70
  fsGroup: 70
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "database.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "database.mounts" -}}
- name: bootstrap
  mountPath: /etc/supabase-bootstrap
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if include "database.hasCa" . }}
- name: database-ca
  mountPath: /etc/supabase-database-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "database.volumes" -}}
- name: bootstrap
  configMap:
    name: {{ .Release.Name }}-bootstrap
- name: tmp
  emptyDir:
    sizeLimit: 16Mi
{{- if include "database.hasCa" . }}
- name: database-ca
  configMap:
    name: {{ .Values.database.caBundle.configMap | default (printf "%s-bootstrap-ca" .Release.Name) }}
    items:
      - key: {{ .Values.database.caBundle.key }}
        path: ca.pem
{{- end }}
{{- end -}}

{{- define "database.scannerNotes" -}}
checkov.io/skip5: "CKV_K8S_11=a CPU limit throttles a Pod while its node is idle; memory is limited"
checkov.io/skip1: "CKV_K8S_15=tags are pinned, so a node that has the image need not reach the registry to restart a Pod"
checkov.io/skip2: "CKV_K8S_35=psql reads passwords from the environment only"
checkov.io/skip3: "CKV_K8S_40=70 is the image's own user postgres"
checkov.io/skip4: "CKV_K8S_43=the digest can be pinned by image.digest; the tag is the default so that it can be read"
{{- end -}}
