"""What the operator tells of itself: events on its own object, where no resource is the place.

That object is the ConfigMap with its identity. It is the one thing that every way of installing
the operator has, under a name that never changes, and that the operator may read.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from together_operator.controller.events import Recorder
from together_operator.controller.identity import CONFIGMAP
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import KubeError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells events of the operator itself.

    Attributes:
        kube: The cluster.
        namespace: The operator's own namespace.
        recorder: Writes events.
    """

    kube: Kube
    namespace: str
    recorder: Recorder

    async def warning(self, reason: str, message: str) -> None:
        """Tell what needs attention; a courtesy that never fails.

        Args:
            reason: One CamelCase word.
            message: A sentence for people.
        """
        try:
            about = await self.kube.get_configmap(self.namespace, CONFIGMAP)
        except KubeError as error:
            log.warning("No event %s: %s", reason, error)
            return
        if about is not None:
            self.recorder.warning(about, reason, message)
