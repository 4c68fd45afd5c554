{{/*
Where an image is pulled from: (list .Values.imageRegistries .Values.auth.image). helm/database has the same file.
A short name is one of docker.io, and one without a folder lies in `library` there: its own registry knows that, a
cache in front of it does not. A digest wins over the tag, which stays readable beside it.
*/}}
{{- define "images.reference" -}}
{{- $image := index . 1 -}}
{{- $parts := splitList "/" $image.repository -}}
{{- $registry := "docker.io" -}}
{{- if and (gt (len $parts) 1) (or (contains "." (first $parts)) (contains ":" (first $parts))) -}}
{{- $registry = first $parts -}}{{- $parts = rest $parts -}}
{{- end -}}
{{- $repository := $image.repository -}}
{{- with get (index . 0) $registry -}}
{{- if and (eq $registry "docker.io") (eq (len $parts) 1) -}}{{- $parts = prepend $parts "library" -}}{{- end -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (join "/" $parts) -}}
{{- end -}}
{{- printf "%s:%s" $repository $image.tag -}}
{{- if $image.digest -}}{{- printf "@%s" $image.digest -}}{{- end -}}
{{- end -}}
