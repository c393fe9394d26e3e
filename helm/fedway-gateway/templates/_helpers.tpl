{{- define "gateway.account" -}}
fedway-gateway-{{ .Release.Name }}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: fedway-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: fedway
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "gateway.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* All addresses of a family. */}}
{{- define "gateway.any" -}}
{{- ternary "0.0.0.0" "'::'" (eq . "IPv4") }}
{{- end }}

{{/* "true" if the control plane is an istiod, else "". */}}
{{- define "gateway.istiod" -}}
{{- if eq .Values.controlPlane.type "istiod" }}true{{ end }}
{{- end }}

{{- define "gateway.address" -}}
{{- if include "gateway.istiod" . -}}
{{ .Values.controlPlane.address | default "istiod.istio-system.svc:15012" }}
{{- else -}}
{{ required "controlPlane.address is required: HOST:PORT of fedwayd's xDS listener" .Values.controlPlane.address }}
{{- end }}
{{- end }}

{{- define "gateway.network" -}}
{{ required "istiod.network is required: the cluster's network, topology.istio.io/network" .Values.istiod.network }}
{{- end }}

{{/* What an istiod and its Gateway objects know the pods by. */}}
{{- define "gateway.podLabels" -}}
{{- with .Values.istiod.labels }}
{{ toYaml . }}
{{- end }}
topology.istio.io/network: {{ include "gateway.network" . | quote }}
sidecar.istio.io/inject: "false"
{{- end }}
