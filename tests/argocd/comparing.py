"""Whether Argo CD sees a difference, asked so that an old answer cannot pass for a new one."""

from __future__ import annotations

import time

from tests.support.argocd import ArgoCD

_ASKED = "argocd.argoproj.io/refresh"
_SECONDS = 60.0


def compare_again(argocd: ArgoCD, application: str) -> str:
    """Make Argo CD compare an Application now and return its sync status.

    Args:
        argocd: The running Argo CD.
        application: The Application.

    Raises:
        AssertionError: It did not compare within a minute.
    """
    argocd.refresh(application)
    deadline = time.monotonic() + _SECONDS
    while True:
        found = argocd.application(application)
        # It takes the annotation away when it has done what was asked.
        if _ASKED not in found["metadata"].get("annotations", {}):
            status: str = found["status"]["sync"]["status"]
            return status
        assert time.monotonic() < deadline, "Argo CD did not compare"
        time.sleep(0.2)
