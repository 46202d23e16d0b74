"""What a measurement needs: a control plane, a simulated Together, an operator, and two teams."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kubernetes import client, config

from tests.support.definition import define
from tests.support.measure import samples
from tests.support.operator import OperatorProcess
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.binaries import BinaryCache
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.progress import ConsoleProgress
from together_local.cluster.recipes import CONTROL_PLANE
from together_operator.resource.names import GROUP, PLURAL, VERSION

INTERVAL = 5


class Stage:
    """An operator with two teams, each with a key of its own.

    Attributes:
        operator: The operator.
        teams: The teams.
        progress: Where to tell what is going on.
    """

    def __init__(
        self, plane: ControlPlane, operator: OperatorProcess, progress: ConsoleProgress
    ) -> None:
        self.operator = operator
        self.progress = progress
        self.teams: Sequence[Team] = [Team(operator, space) for space in operator.spaces]
        for team in self.teams:
            team.secret(team.key)
        connect: Any = config.new_client_from_config
        self._api: Any = client.CustomObjectsApi(connect(str(plane.kubeconfig)))

    def edit(self, team: Team, name: str, **spec: Any) -> float:
        """Change the spec of a resource.

        kubectl would take longer to start than what is measured here.

        Returns:
            Unix seconds of the moment at which the change was sent.
        """
        sent = time.time()
        self._api.patch_namespaced_custom_object(
            GROUP, VERSION, team.name, PLURAL, name, {"spec": spec}
        )
        return sent

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all samples with these labels.

        Args:
            name: Its name.
            labels: Labels that must match.
        """
        found = samples(self.operator.metrics(), name)
        return sum(value for has, value in found if labels.items() <= has.items())


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Have a stage for the length of a block.

    Args:
        folder: Where everything goes.
    """
    progress = ConsoleProgress()
    binaries = BinaryCache().ensure((*CONTROL_PLANE, "helm"), progress)
    with ControlPlane.start(folder / "control-plane", binaries, progress=progress) as plane:
        define(plane.kubectl)
        flags = ("--poll-interval", str(INTERVAL), "--drift-interval", "1000000")
        with running_operator(
            plane, binaries["helm"], folder / "operator", spaces=2, secret=False,
            # As in production: what is logged costs time, too.
            flags=(*flags, "--log-level", "info"),
        ) as operator:  # fmt: skip
            yield Stage(plane, operator, progress)
