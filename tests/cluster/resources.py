"""Making, changing and reading TogetherEndpoints the way a person does: with kubectl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.cluster import Run
from together_operator.resource.names import API_VERSION, KIND

PROJECT = Path(__file__).resolve().parents[2]
MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2x_nvidia_h100_80gb_sxm"


def manifest(name: str = "mixtral", **spec: Any) -> dict[str, Any]:
    """A manifest with the required fields, and what else is given for the spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"model": MODEL, "hardware": HARDWARE} | spec,
    }


class Resources:
    """The TogetherEndpoints of one namespace.

    Attributes:
        kubectl: Runs kubectl.
        namespace: Their namespace.
    """

    def __init__(self, kubectl: Run, namespace: str) -> None:
        self.kubectl = kubectl
        self.namespace = namespace

    def run(
        self, *args: str, document: Any = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the namespace, with a document on its standard input."""
        text = None if document is None else json.dumps(document)
        return self.kubectl("-n", self.namespace, *args, input=text, check=check)

    def apply(self, document: dict[str, Any], *flags: str) -> None:
        """Apply a manifest."""
        self.run("apply", *flags, "-f", "-", document=document)

    def read(self, name: str = "mixtral") -> dict[str, Any]:
        """The whole object."""
        found: dict[str, Any] = json.loads(self.run("get", "tep", name, "-o", "json").stdout)
        return found

    def patch(self, patch: Any, *flags: str, name: str = "mixtral", kind: str = "merge") -> None:
        """Patch an object."""
        self.run(*_patching(name, kind), *flags, document=patch)

    def tell(self, status: dict[str, Any], name: str = "mixtral") -> None:
        """Write into the status, as the operator would."""
        self.patch({"status": status}, "--subresource=status", name=name)

    def refused(self, *args: str, document: Any = None) -> str:
        """Run kubectl, which must fail; what it said."""
        done = self.run(*args, document=document, check=False)
        assert done.returncode != 0, f"not refused: kubectl {' '.join(args)}: {done.stdout}"
        return done.stderr

    def patch_refused(
        self, patch: Any, *flags: str, name: str = "mixtral", kind: str = "merge"
    ) -> str:
        """Patch an object, which must be refused; what the API server said."""
        return self.refused(*_patching(name, kind), *flags, document=patch)


def _patching(name: str, kind: str) -> tuple[str, ...]:
    # Through the standard input: a long status does not fit on a command line.
    return ("patch", "tep", name, f"--type={kind}", "--patch-file=/dev/stdin")
