"""The operator's own limits: what may not be bought, whoever asks for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from together_operator.core.desired import Desired
from together_operator.drivers import v1_hardware
from together_operator.resource.remote import Unavailable


@dataclass(frozen=True, slots=True)
class Guards:
    """Limits that hold for every resource.

    Attributes:
        hardware: The hardware that may be used; empty for any.
        max_replicas: The most replicas that a resource may ask for.
        max_price_per_hour: US dollars per hour that a resource may cost at its maximum.
    """

    hardware: Collection[str] = ()
    max_replicas: int | None = None
    max_price_per_hour: Decimal | None = None

    @property
    def need_price(self) -> bool:
        """Whether a decision needs the price."""
        return self.max_price_per_hour is not None

    def verdict(
        self, desired: Desired, price: Decimal | Unavailable | None
    ) -> str | Unavailable | None:
        """Why a resource is not allowed, if it is not.

        Args:
            desired: What is asked for.
            price: US dollars per replica and hour, `None` if Together knows of none, or why that
                cannot be told just now.

        Returns:
            What to tell the person, why it cannot be told just now, or `None` if it is allowed.
        """
        # Either generation's spelling names the same hardware.
        asked = v1_hardware(desired.spec.hardware)
        if self.hardware and asked not in map(v1_hardware, self.hardware):
            allowed = ", ".join(sorted(self.hardware))
            return (
                f"This operator does not allow spec.hardware '{desired.spec.hardware}'. Choose one"
                f" of: {allowed}"
            )
        most = desired.bounds.max
        if self.max_replicas is not None and most > self.max_replicas:
            return (
                f"This operator allows at most {self.max_replicas} replicas, and"
                f" spec.autoscaling asks for up to {most}. Lower it"
            )
        limit = self.max_price_per_hour
        if limit is None:
            return None
        if isinstance(price, Unavailable):
            return price
        if price is None:
            return (
                f"This operator allows at most ${limit} per hour, and Together does not tell the"
                f" price of '{desired.spec.hardware}'. Check spec.hardware"
            )
        if price * most > limit:
            return (
                f"This operator allows at most ${limit} per hour, and {most} replicas at"
                f" ${price:.2f} cost ${price * most:.2f}. Lower spec.autoscaling or choose other"
                " hardware"
            )
        return None
