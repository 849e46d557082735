{{/* Names, labels and the parts of pods that all services share. */}}

{{- define "rhizome.name" -}}
{{- if eq .Release.Name "rhizome" }}rhizome{{ else }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}-rhizome{{ end }}
{{- end }}

{{- define "rhizome.labels" -}}
app.kubernetes.io/name: rhizome
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "rhizome.selector" -}}
app.kubernetes.io/name: rhizome
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "rhizome.image" -}}
{{ .root.Values.image.repository }}/{{ .program }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "rhizome.scheme" -}}
{{ if .Values.tls.enabled }}https{{ else }}http{{ end }}
{{- end }}

{{/* Address of the gateway inside the cluster. */}}
{{- define "rhizome.gatewayUrl" -}}
{{ include "rhizome.scheme" . }}://{{ include "rhizome.name" . }}-gateway.{{ .Release.Namespace }}.svc:{{ .Values.gateway.service.port }}
{{- end }}

{{/* How a service listens: with TLS, or with plain HTTP inside the cluster. */}}
{{- define "rhizome.listening" -}}
host: '0.0.0.0'
{{- if .Values.tls.enabled }}
tls:
  keyFile: /etc/rhizome/tls/tls.key
  certFile: /etc/rhizome/tls/tls.crt
{{- else }}
insecureTransport: true
{{- end }}
{{- end }}

{{/* Pods run under Pod Security "restricted". */}}
{{- define "rhizome.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "rhizome.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Pods of one service go to different nodes where they can. */}}
{{- define "rhizome.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "rhizome.selector" . | nindent 8 }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rhizome.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http, scheme: {{ include "rhizome.scheme" . | upper }} }
  periodSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: { path: /healthz, port: http, scheme: {{ include "rhizome.scheme" . | upper }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http, scheme: {{ include "rhizome.scheme" . | upper }} }
  periodSeconds: 3
  timeoutSeconds: 5
{{- end }}

{{/* New connections go elsewhere before the process begins to shut down. */}}
{{- define "rhizome.lifecycle" -}}
lifecycle:
  preStop:
    exec:
      command: [sleep, '5']
{{- end }}

{{- define "rhizome.caVariable" -}}
{{- if .Values.tls.enabled }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/rhizome/tls/ca.crt
{{- end }}
{{- end }}

{{- define "rhizome.tlsMount" -}}
{{- if .Values.tls.enabled }}
- name: tls
  mountPath: /etc/rhizome/tls
  readOnly: true
{{- end }}
{{- end }}

{{- define "rhizome.tlsVolume" -}}
{{- if .Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secret }}
{{- end }}
{{- end }}

{{/*
Keys of a service. Kubernetes gives files of a Secret to the group of the pod, and the services refuse keys that
others than their owner can read: each pod copies its own keys.
*/}}
{{- define "rhizome.keyVolumes" -}}
- name: shared-keys
  secret:
    secretName: {{ .root.Values.keys.secret }}
    items:
{{- range .files }}
      - key: {{ . }}
        path: {{ . }}
{{- end }}
- name: keys
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}

{{- define "rhizome.keyContainer" -}}
- name: keys
  image: {{ .image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, -c, 'umask 077 && cp /shared-keys/* /run/rhizome/keys/']
  securityContext: {{- include "rhizome.containerSecurity" . | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 64Mi }
  volumeMounts:
    - name: shared-keys
      mountPath: /shared-keys
      readOnly: true
    - name: keys
      mountPath: /run/rhizome/keys
{{- end }}
