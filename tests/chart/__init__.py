"""The chart, the kustomize base and the health check for Argo CD."""
