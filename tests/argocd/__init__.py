"""Tests with a real Argo CD; `make test-argocd` runs them."""
