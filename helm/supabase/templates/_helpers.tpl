{{/*
Names, labels and the fragments that every workload shares.
Most helpers take (list $ "component"): the root context and the component's name.
*/}}

{{/* The name of a component's objects: <release>-<component>. */}}
{{- define "supabase.name" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- $name := printf "%s-%s" $root.Release.Name $component -}}
{{- if gt (len $name) 63 -}}{{- fail (printf "release name `%s` is too long: `%s` has more than 63 characters" $root.Release.Name $name) -}}{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "supabase.selectorLabels" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
app.kubernetes.io/name: supabase
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ $component }}
{{- end -}}

{{- define "supabase.labels" -}}
{{- $root := index . 0 -}}
{{ include "supabase.selectorLabels" . }}
app.kubernetes.io/part-of: supabase
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end -}}

{{/* A Pod's labels: without the chart's version, which would restart every Pod with each new chart. */}}
{{- define "supabase.podLabels" -}}
{{ include "supabase.selectorLabels" . }}
app.kubernetes.io/part-of: supabase
{{- end -}}

{{/* The labels and name of an object's metadata. */}}
{{- define "supabase.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "supabase.name" . }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "supabase.labels" . | nindent 2 }}
{{- end -}}

{{/* The one table of ports. A Service's port equals its container's: the VPC CNI's policies require it. */}}
{{- define "supabase.port" -}}
{{- $ports := dict "kong" 8000 "auth" 9999 "rest" 3000 "realtime" 4000 "storage" 5000 "imgproxy" 5001 "meta" 8080 "studio" 3000 "functions" 9000 -}}
{{- get $ports . | required (printf "no port is known for component `%s`" .) -}}
{{- end -}}

{{/* The address under which the world reaches the gateway. Nothing may guess it: it stands in tokens, mails and redirects. */}}
{{- define "supabase.publicUrl" -}}
{{- .Values.publicUrl | required "publicUrl must be set: the address under which clients reach the API, such as https://api.example.com" -}}
{{- end -}}

{{/* The address of a component inside the namespace. */}}
{{- define "supabase.url" -}}
http://{{ include "supabase.name" . }}:{{ include "supabase.port" (index . 1) }}
{{- end -}}

{{/* (list $ .Values.auth.image) */}}
{{- define "supabase.image" -}}
{{- include "images.reference" (list (index . 0).Values.imageRegistries (index . 1)) -}}
{{- end -}}

{{/* The name of an existing Secret: (list $ "jwt"). */}}
{{- define "supabase.secret" -}}
{{- $root := index . 0 -}}{{- $key := index . 1 -}}
{{- get $root.Values.existingSecrets $key | required (printf "existingSecrets.%s must name a Secret" $key) -}}
{{- end -}}

{{/* An env entry's valueFrom of an existing Secret: (list $ "jwt" "secret"). */}}
{{- define "supabase.fromSecret" -}}
valueFrom:
  secretKeyRef:
    name: {{ include "supabase.secret" . }}
    key: {{ index . 2 }}
{{- end -}}

{{/*
A container's env out of one map, so that no name can appear twice: server-side apply refuses duplicates.
(dict "root" $ "component" "auth" "env" <map: name -> string, or -> {valueFrom: ...}>)
extraEnv and extraSecretEnv of the component win over the chart's own entries.
References to secrets come first because $(NAME) only expands what stands above it.
*/}}
{{- define "supabase.env" -}}
{{- $settings := get .root.Values .component -}}
{{- $all := deepCopy .env -}}
{{- range $name, $value := $settings.extraEnv }}{{- $_ := set $all $name (toString $value) }}{{- end -}}
{{- range $name, $ref := $settings.extraSecretEnv }}
{{- $_ := set $all $name (dict "valueFrom" (dict "secretKeyRef" (dict "name" $ref.secret "key" $ref.key))) }}
{{- end -}}
{{- range $name := keys $all | sortAlpha }}
{{- $value := get $all $name }}
{{- if kindIs "map" $value }}
- name: {{ $name }}
  {{- toYaml $value | nindent 2 }}
{{- end }}
{{- end }}
{{- range $name := keys $all | sortAlpha }}
{{- $value := get $all $name }}
{{- if not (kindIs "map" $value) }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The deadline of a rollout and `replicas`, but no `replicas` where an HPA owns the number: rendering both makes every upgrade fight the HPA. */}}
{{- define "supabase.rollout" -}}
{{- $values := (index . 0).Values -}}
{{- $settings := get $values (index . 1) -}}
progressDeadlineSeconds: {{ $values.rolloutDeadlineSeconds }}
{{- with $settings.minReadySeconds }}
minReadySeconds: {{ . }}
{{- end }}
{{- if not (and $settings.autoscaling $settings.autoscaling.enabled) }}
replicas: {{ $settings.replicas }}
{{- end -}}
{{- end -}}

{{/*
The annotations of a Pod: (dict "root" $ "component" "kong" "config" <text that a restart must follow> "secrets" (list "jwt")).
The chart cannot see the Secrets' contents; whoever rotates one bumps `secretVersions.<name>`, and the Pods that read it restart.
*/}}
{{- define "supabase.podAnnotations" -}}
{{- $root := .root -}}
{{- with .config }}
checksum/config: {{ sha256sum . }}
{{- end }}
{{- $seen := list -}}
{{- range .secrets }}{{- $seen = append $seen (printf "%s=%v" . (get $root.Values.secretVersions . | default "0")) }}{{- end -}}
{{- with $seen }}
checksum/secrets: {{ join "," (sortAlpha .) | sha256sum }}
{{- end }}
{{- with (get $root.Values .component).podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Annotations of a workload object: why some scanner rules do not apply. (list $ "rule=reason" ...) */}}
{{- define "supabase.scannerNotes" -}}
{{- range $index, $note := . }}
checkov.io/skip{{ add1 $index }}: {{ $note | quote }}
{{- end }}
{{- end -}}

{{- define "supabase.commonScannerNotes" -}}
CKV_K8S_11=a CPU limit throttles a Pod while its node is idle; requests share the CPU out, memory is limited
CKV_K8S_15=tags are pinned, so a node that has the image need not reach the registry to restart a Pod
CKV_K8S_35=these programs read their settings from the environment only
CKV_K8S_40=the images own their files as the user they name
CKV_K8S_43=digests can be pinned by image.digest; the tag is the default so that both architectures are readable at a glance
{{- end -}}

{{/* (list $ "component" "more=notes"...) -> the `annotations:` of a workload. */}}
{{- define "supabase.workloadAnnotations" -}}
{{- $notes := splitList "\n" (include "supabase.commonScannerNotes" .) -}}
{{- range (slice . 2) }}{{- $notes = append $notes . }}{{- end -}}
annotations:
  {{- include "supabase.scannerNotes" $notes | nindent 2 }}
{{- end -}}

{{/*
What every Pod's spec begins with: (dict "root" $ "component" "auth" "user" 1000 "grace" 30).
`user` 0 is an image that must start as root; its template says why.
*/}}
{{- define "supabase.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "supabase.name" (list $root .component) }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range $name, $enabled := . }}
  {{- if $enabled }}
  - name: {{ $name }}
  {{- end }}
  {{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- if .user }}
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .group | default .user }}
  fsGroup: {{ .group | default .user }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* Spread over zones, then nodes: (list $ "component"). */}}
{{- define "supabase.topologySpread" -}}
{{- $root := index . 0 -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ $root.Values.topologySpread.zone }}
    # Counts the Pods of one revision only, so that a rollout does not skew what it leaves behind.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "supabase.selectorLabels" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ $root.Values.topologySpread.node }}
    # Counts the Pods of one revision only, so that a rollout does not skew what it leaves behind.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "supabase.selectorLabels" . | nindent 8 }}
{{- end -}}

{{/* The restricted profile of a container. (dict "readOnly" true) */}}
{{- define "supabase.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ .readOnly }}
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Time for the endpoints to be taken out everywhere before the process is told to stop; needs no shell in the image. */}}
{{- define "supabase.preStop" -}}
lifecycle:
  preStop:
    sleep:
      seconds: {{ . }}
{{- end -}}

{{/* A writable directory where the root file system is read-only. (list "name" "size") */}}
{{- define "supabase.scratch" -}}
- name: {{ index . 0 }}
  emptyDir:
    sizeLimit: {{ index . 1 }}
{{- end -}}
