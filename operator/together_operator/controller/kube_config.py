"""How the operator finds and proves itself to the Kubernetes API server.

Two clients need it: the operator's own calls and kopf's watch. Both follow the same order, an
explicit kubeconfig, the pod's service account, the default kubeconfig, and both must survive the
hourly renewal of service account tokens.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.incluster_config import (
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    load_incluster_config,
)
from kubernetes.aio.config.kube_config import (
    ENV_KUBECONFIG_PATH_SEPARATOR,
    load_kube_config,
)
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION as DEFAULT_KUBECONFIG

from together_operator.controller.kube_errors import KubeconfigInvalid

TOKEN_LIFE: Final = 60.0
"""Seconds after which credentials are read again. Kubernetes renews a mounted token at 80 % of its
life, long before the old one ends; the library for pods reads it every minute too."""


async def load_configuration(kubeconfig: Path | None, *, connections: int) -> Any:
    """Read how to reach the API server.

    Args:
        kubeconfig: The file to use. Without it: the pod's service account, else the default
            kubeconfig (`KUBECONFIG`, `~/.kube/config`).
        connections: How many connections the client may keep open.

    Returns:
        A `kubernetes.aio.client.Configuration` that renews its own token.

    Raises:
        KubeconfigInvalid: Nothing usable was found.
    """
    configuration: Any = Configuration()
    configuration.connection_pool_maxsize = connections
    by_pod = kubeconfig is None and _in_pod()
    source = "the pod's service account" if by_pod else f"{kubeconfig or DEFAULT_KUBECONFIG}"
    try:
        if by_pod:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            _require_file(source)
            loader = await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig) if kubeconfig is not None else None,
                client_configuration=configuration,
                persist_config=False,
            )
            if configuration.tls_server_name:
                raise ConfigException("tls-server-name is not supported")
            configuration.refresh_api_key_hook = _renewal(loader.load_and_set)
    except (ConfigException, OSError, yaml.YAMLError) as error:
        raise KubeconfigInvalid(
            f"No way to a cluster from {source}: {str(error).rstrip('.')}. Set --kubeconfig to a "
            "kubeconfig file, or run in a pod with a service account."
        ) from None
    return configuration


def ssl_context(configuration: Any) -> ssl.SSLContext:
    """How the API server's certificate is checked, and the client's own is shown."""
    context: ssl.SSLContext = RESTClientObject(configuration).ssl_context
    return context


def _in_pod() -> bool:
    return SERVICE_HOST_ENV_NAME in os.environ and Path(SERVICE_TOKEN_FILENAME).exists()


def _require_file(paths: str) -> None:
    if not any(Path(path).is_file() for path in paths.split(ENV_KUBECONFIG_PATH_SEPARATOR)):
        raise ConfigException("there is no such file")


def _renewal(
    load: Callable[[Any], Any], clock: Callable[[], float] = time.monotonic
) -> Callable[[Any], Any]:
    """A hook that reads the kubeconfig's credentials (token file, exec plug-in) again in time."""
    lock = asyncio.Lock()
    fresh_until = clock() + TOKEN_LIFE

    async def renew(configuration: Any) -> None:
        nonlocal fresh_until
        async with lock:
            if clock() >= fresh_until:
                await load(configuration)
                fresh_until = clock() + TOKEN_LIFE

    return renew
