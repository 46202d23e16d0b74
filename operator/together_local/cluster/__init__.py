"""A real Kubernetes control plane on one machine.

The operator's promises are about a real API server: its validation, its
optimistic locking, its garbage collection. This package therefore runs the real
etcd, kube-apiserver and kube-controller-manager on loopback, for `make demo`,
for the tests and for `together-operator local`, without a container engine.

It imports nothing here, because the supervisor process, which must start fast
and stay small, lives in this package too.
"""
