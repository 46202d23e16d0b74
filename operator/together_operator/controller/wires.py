"""The connections to Together, and the drivers on them: one for each key and generation.

A driver is made when something is to be looked at in its generation, and not before: a key that is
used in one generation alone costs nothing in the other.
"""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import urlsplit

from together_operator import drivers
from together_operator.controller.keys import HeldKey
from together_operator.drivers import V1Driver
from together_operator.drivers.driver import Driver
from together_operator.resource.spec import Api
from together_operator.settings import Settings
from together_operator.together import Fence, Observer, Timeouts, V1Client, V2Client, Wire

_TOGETHER: Final = frozenset({"api.together.ai", "api.together.xyz"})
_INFERENCE_V2: Final = "https://api-inference.together.ai/v1"


def inference_url(base_url: str) -> str | None:
    """Where endpoints of the second generation answer, if that is another host.

    Args:
        base_url: The configured base URL. Who has set one of their own (a gateway, a simulator)
            gets everything from there.
    """
    return _INFERENCE_V2 if urlsplit(base_url).hostname in _TOGETHER else None


class Wires:
    """The connections to Together.

    Args:
        settings: Where Together is.
        timeouts: Limits of each kind of request.
        observer: Told of every request.
        may_change: The fence of every PATCH and DELETE; without one they always leave.

    Raises:
        ConfigurationError: Together cannot be reached as the settings say.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeouts: Timeouts,
        observer: Observer,
        may_change: Fence | None = None,
    ) -> None:
        self._management: Final = Wire(
            settings.base_url,
            timeouts=timeouts,
            ca_file=settings.ca_file,
            observer=observer,
            may_change=may_change,
        )
        elsewhere = inference_url(settings.base_url)
        self._inference: Final = (
            None
            if elsewhere is None
            else Wire(elsewhere, timeouts=timeouts, ca_file=settings.ca_file, observer=observer)
        )

    def driver(self, key: HeldKey, api: Api) -> Driver:
        """The driver of a key in a generation.

        Args:
            key: The key.
            api: The generation, `V1` or `V2`.
        """
        if api is Api.V2:
            made: Any = drivers
            return cast(
                "Driver",
                made.V2Driver(V2Client(self._management, key.credential, self._inference)),
            )
        return V1Driver(V1Client(self._management, key.credential))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._management.aclose()
        if self._inference is not None:
            await self._inference.aclose()
