"""The connections to Together, and the drivers on them: one for each key and generation.

A driver is made when something is to be looked at in its generation, and not before: a key that is
used in one generation alone costs nothing in the other.
"""

from __future__ import annotations

from typing import Final

from together_operator.controller.keys import HeldKey
from together_operator.drivers import Driver, V1Driver, V2Driver
from together_operator.resource.spec import Api
from together_operator.settings import Settings
from together_operator.together import Fence, Observer, Timeouts, V1Client, V2Client, Wire


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
        self._wire: Final = Wire(
            settings.base_url,
            timeouts=timeouts,
            ca_file=settings.ca_file,
            observer=observer,
            may_change=may_change,
        )

    def driver(self, key: HeldKey, api: Api) -> Driver:
        """The driver of a key in a generation.

        Args:
            key: The key.
            api: The generation, `V1` or `V2`.
        """
        if api is Api.V2:
            return V2Driver(V2Client(self._wire, key.credential))
        return V1Driver(V1Client(self._wire, key.credential))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()
