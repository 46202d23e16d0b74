"""The CRD, as a test has it in a cluster.

`kubectl wait --for=condition=Established` straight after `kubectl apply` fails when it meets a
definition whose conditions nobody has written yet; and one that is established may not be served
for another moment.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cluster import Run
from tests.support.operator import eventually
from together_operator.resource.names import DEFINITION

CRDS = Path(__file__).resolve().parents[2] / "crds"


def define(kubectl: Run) -> None:
    """Have a cluster serve TogetherEndpoints.

    Args:
        kubectl: Runs kubectl in it as an administrator.
    """
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(CRDS))
    until_served(kubectl)


def until_served(kubectl: Run) -> None:
    """Wait until a cluster serves TogetherEndpoints, whoever defined them.

    Args:
        kubectl: Runs kubectl in it as an administrator.
    """

    def served() -> bool:
        found = kubectl("get", "crd", DEFINITION, "-o", "json", "--ignore-not-found").stdout
        known = json.loads(found).get("status", {}) if found.strip() else {}
        conditions = known.get("conditions") or ()
        if not any((c["type"], c["status"]) == ("Established", "True") for c in conditions):
            return False
        return kubectl("get", "tep", "--all-namespaces", check=False).returncode == 0

    eventually("TogetherEndpoints are served", served)
