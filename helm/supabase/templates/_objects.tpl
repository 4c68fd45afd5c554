{{/*
Whole objects that differ between components only by name and by numbers of values.yaml.
Each takes (list $ "component").
*/}}

{{- define "supabase.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "supabase.metadata" . | nindent 2 }}
  {{- with index . 2 }}
  annotations:
    eks.amazonaws.com/role-arn: {{ . }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "supabase.service" -}}
{{- $port := include "supabase.port" (index . 1) -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "supabase.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "supabase.selectorLabels" . | nindent 4 }}
  ports:
    - name: http
      port: {{ $port }}
      targetPort: http
      protocol: TCP
{{- end -}}

{{- define "supabase.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "supabase.metadata" . | nindent 2 }}
spec:
  # One at a time: a drain always makes progress, also with a single replica.
  maxUnavailable: 1
  # A Pod that is not ready serves nobody, so it must not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "supabase.selectorLabels" . | nindent 6 }}
{{- end -}}

{{- define "supabase.autoscaler" -}}
{{- $root := index . 0 -}}
{{- with (get $root.Values (index . 1)).autoscaling }}
{{- if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}{{- fail (printf "%s.autoscaling: minReplicas %d is above maxReplicas %d" (index $ 1) (int .minReplicas) (int .maxReplicas)) }}{{- end }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "supabase.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "supabase.name" $ }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .targetCpuPercent }}
    {{- with .targetMemoryPercent }}
    - type: Resource
      resource:
        name: memory
        target:
          type: Utilization
          averageUtilization: {{ . }}
    {{- end }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      policies:
        - type: Percent
          value: 100
          periodSeconds: 30
        - type: Pods
          value: 2
          periodSeconds: 30
      selectPolicy: Max
    scaleDown:
      # Load on an API comes in waves; giving Pods back too soon costs cold caches and connections.
      stabilizationWindowSeconds: 300
      policies:
        - type: Percent
          value: 25
          periodSeconds: 60
{{- end }}
{{- end }}
{{- end -}}

{{- define "supabase.claim" -}}
{{- $persistence := (get (index . 0).Values (index . 1)).persistence -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "supabase.metadata" . | nindent 2 }}
  annotations:
    # What people wrote must outlive an uninstalled release.
    helm.sh/resource-policy: keep
spec:
  accessModes: [{{ $persistence.accessMode }}]
  {{- include "supabase.volumeClass" (list (index . 0) $persistence.storageClass) | nindent 2 }}
  resources:
    requests:
      storage: {{ $persistence.size }}
{{- end -}}

{{/* The class of a claim: (list $ "what the claim's values say"). */}}
{{- define "supabase.volumeClass" -}}
{{- $root := index . 0 -}}
{{- if index . 1 -}}
storageClassName: {{ index . 1 }}
{{- else if $root.Values.volumeClass.create -}}
storageClassName: {{ include "supabase.name" (list $root "gp3") }}
{{- end -}}
{{- end -}}
