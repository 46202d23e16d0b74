"""Choose free ports on loopback that stay free while their owner is restarted.

A port that the kernel hands out by itself comes from the range it also takes for
outgoing connections: while a component is down, one of those may take its place.
So ports are chosen below that range.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from together_local.cluster.errors import StartError

# Below the ranges for outgoing connections of Linux (32768) and macOS (49152),
# above what well-known services use.
_RANGE = range(18000, 30000)


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Choose one free port for each name.

    Raises:
        StartError: Nearly all ports are taken.
    """
    chosen: dict[str, int] = {}
    candidates = iter(random.sample(_RANGE, len(_RANGE)))
    for name in names:
        port = next((port for port in candidates if is_free(port)), None)
        if port is None:
            raise StartError(f"No free port on 127.0.0.1 in {_RANGE.start}-{_RANGE.stop - 1}")
        chosen[name] = port
    return chosen
