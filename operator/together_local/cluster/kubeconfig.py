"""Write kubeconfig files: whole in themselves, and for their owner's eyes only."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from together_local.cluster.certificates import write_private

_NAME = "together-operator-local"


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def write_kubeconfig(
    path: Path,
    *,
    server: str,
    ca: Path,
    user: Mapping[str, str],
    namespace: str = "default",
    name: str = _NAME,
) -> None:
    """Write a kubeconfig with one cluster, one user and one context.

    Args:
        path: The file; it gets mode 0600.
        server: The API server's URL.
        ca: The file of the CA's certificate.
        user: The user's credentials, see `certificate_user` and `token_user`.
        namespace: The context's namespace.
        name: What to call cluster, user and context.
    """
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": _encoded(ca)},
            }
        ],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}
        ],
        "current-context": name,
    }
    # JSON is YAML too, without YAML's views on a namespace named "y" or "1e3".
    write_private(path, json.dumps(content, indent=2).encode())


def certificate_user(certificate: Path, key: Path) -> dict[str, str]:
    """The credentials of a user with a client certificate."""
    return {"client-certificate-data": _encoded(certificate), "client-key-data": _encoded(key)}


def token_user(token: str) -> dict[str, str]:
    """The credentials of a user with a bearer token."""
    return {"token": token}
