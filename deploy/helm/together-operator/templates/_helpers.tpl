{{- define "together-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "together-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "together-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "together-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: together-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "together-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "together-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "together-operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if not .Values.image.repository -}}
{{- fail (printf `

image.repository is empty. There is no public image: build one from this project, push it, and say where.

  docker build -t REGISTRY/together-operator:%[1]s .
  docker push REGISTRY/together-operator:%[1]s
  helm upgrade --install … --set image.repository=REGISTRY/together-operator

(with kind: kind load docker-image together-operator:%[1]s, and --set image.repository=together-operator)
` $tag) -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* Not empty unless it is turned off: `null` leaves the operator's own default, which is on. */}}
{{- define "together-operator.elects" -}}
{{- if ne (toString .Values.settings.leaderElect) "false" -}}yes{{- end -}}
{{- end -}}

{{/* Combinations that would install and then not work. The schema cannot see across values. */}}
{{- define "together-operator.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not (include "together-operator.elects" .)) -}}
{{- fail `

replicas is more than 1, but settings.leaderElect is off: all of them would work at the same time. Turn settings.leaderElect on, or set replicas to 1.
` -}}
{{- end -}}
{{- if and .Values.scope.namespaces (not .Values.settings.clusterID) -}}
{{- fail `

settings.clusterID is required with scope.namespaces: without rights on the cluster the operator cannot read the uid of kube-system, by which it names this cluster in its ownership markers at Together. Choose any id that no other cluster uses, and never change it:

  --set settings.clusterID=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}')
` -}}
{{- end -}}
{{- if and .Values.scope.namespaces (eq (toString .Values.settings.orphanPolicy) "Stop") -}}
{{- fail `

settings.orphanPolicy: Stop cannot be used with scope.namespaces: the owner of an endpoint may live in a namespace that the operator does not serve. Leave it at Report.
` -}}
{{- end -}}
{{- if and .Values.settings.defaultKeyNamespaces (not .Values.auth.existingSecret) -}}
{{- fail `

settings.defaultKeyNamespaces lets namespaces use the operator's own API key, but auth.existingSecret names no Secret that holds one. Set it, or empty the list.
` -}}
{{- end -}}
{{- end -}}

{{/*
The rules of the operator. Each verb is one that it uses; cluster-wide or per namespace, they are the same.
*/}}
{{- define "together-operator.rules" -}}
- apiGroups: [together-operator.io]
  resources: [togetherendpoints]
  # patch: the finalizer and our own annotations. Never spec.
  verbs: [get, list, watch, patch]
- apiGroups: [together-operator.io]
  resources: [togetherendpoints/status]
  verbs: [update]
- apiGroups: [""]
  # The user's API key, by name: never listed, never watched, never written.
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  # spec.connection.configMapName
  resources: [configmaps]
  verbs: [get, create, update, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
