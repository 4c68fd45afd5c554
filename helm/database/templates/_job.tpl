{{/* The Job's spec; its digest is part of the Job's name. */}}
{{- define "database.jobSpec" -}}
backoffLimit: {{ .Values.job.backoffLimit }}
activeDeadlineSeconds: {{ .Values.job.deadlineSeconds }}
template:
  metadata:
    labels:
      {{- include "database.labels" $ | nindent 6 }}
      app.kubernetes.io/component: bootstrap
  spec:
    restartPolicy: Never
    {{- include "database.podSpec" $ | nindent 4 }}
    containers:
      - name: bootstrap
        image: {{ include "database.image" $ }}
        imagePullPolicy: {{ .Values.imagePullPolicy }}
        command: [sh, /etc/supabase-bootstrap/run.sh]
        env:
          {{- include "database.connection" $ | nindent 10 }}
          - name: BOOTSTRAP_DIR
            value: /etc/supabase-bootstrap
          - name: BOOTSTRAP_DIGEST
            value: {{ include "database.inputsDigest" $ | quote }}
          # The capability report: readable as the container's terminated message.
          - name: TERMINATION_LOG
            value: /dev/termination-log
          - name: AUTHENTICATOR_PASSWORD
            {{- include "database.password" .Values.existingSecrets.authenticator | nindent 12 }}
          - name: SUPABASE_AUTH_ADMIN_PASSWORD
            {{- include "database.password" .Values.existingSecrets.authAdmin | nindent 12 }}
          - name: SUPABASE_STORAGE_ADMIN_PASSWORD
            {{- include "database.password" .Values.existingSecrets.storageAdmin | nindent 12 }}
          - name: SUPABASE_ADMIN_PASSWORD
            {{- include "database.password" .Values.existingSecrets.admin | nindent 12 }}
          - name: SUPABASE_BACKUP_PASSWORD
            {{- include "database.password" .Values.existingSecrets.backup | nindent 12 }}
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          {{- toYaml .Values.resources | nindent 10 }}
        {{- include "database.containerSecurity" $ | nindent 8 }}
        volumeMounts:
          {{- include "database.mounts" $ | nindent 10 }}
    volumes:
      {{- include "database.volumes" $ | nindent 6 }}
{{- end -}}
