"""Hardware as API v2 offers it: instance types with hourly prices, in regions.

Why: both generations rent out the same GPUs under different names, units and places.
The names are those of Together's price list; prices other than that of the H100, and
the regions, are made up in its manner.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_local.simulator.assumptions import Assumptions
from together_local.simulator.catalogue import B200, H100, H200, HARDWARE, Gpu, Hardware


@dataclass(frozen=True)
class Accelerator:
    """A kind of GPU as v2 names it.

    Attributes:
        gpu: The same in v1.
        slug: Its part of an instance type's name.
        short: How people call it.
        memory_gib: Memory of one.
        cents_per_hour: Price of one; None: asked of the assumptions.
    """

    gpu: Gpu
    slug: str
    short: str
    memory_gib: int
    cents_per_hour: int | None


@dataclass(frozen=True)
class InstanceType:
    """What one replica runs on."""

    accelerator: Accelerator
    hardware: Hardware

    @property
    def name(self) -> str:
        """Its name and id, such as ``2xnvidia-h100-80gb``."""
        return f"{self.hardware.count}x{self.accelerator.slug}"

    def cents_per_hour(self, assumptions: Assumptions) -> int:
        """Price of one ready replica in US cents."""
        price = self.accelerator.cents_per_hour
        one = assumptions.h100_cents_per_hour if price is None else price
        return one * self.hardware.count


_ACCELERATORS = (
    Accelerator(H100, "nvidia-h100-80gb", "H100", 80, None),
    Accelerator(H200, "nvidia-h200-141gb", "H200", 141, 679),
    Accelerator(B200, "nvidia-b200-180gb", "B200", 180, 899),
)

INSTANCE_TYPES: dict[str, InstanceType] = {
    instance.name: instance
    for hardware in HARDWARE.values()
    for accelerator in _ACCELERATORS
    if accelerator.gpu == hardware.gpu
    for instance in (InstanceType(accelerator, hardware),)
}
_BY_HARDWARE = {instance.hardware: instance for instance in INSTANCE_TYPES.values()}

#: Regions, each with the GPUs that stand there.
REGIONS: dict[str, frozenset[Gpu]] = {
    "us-central-4": frozenset({H100, H200, B200}),
    "us-east-1": frozenset({H100, H200}),
    "us-west-2": frozenset({H100}),
}
#: Regions in which health data may be processed.
HIPAA_REGIONS = frozenset({"us-central-4"})

#: Saved placements by id: name and regions, the preferred one first.
PLACEMENT_PROFILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pp_7a1c0de4b2": ("central-first", ("us-central-4", "us-east-1")),
    "pp_9f30ab51c8": ("west", ("us-west-2",)),
}


def instance_type(hardware: Hardware) -> InstanceType:
    """Return the instance type that is the same as ``hardware``."""
    return _BY_HARDWARE[hardware]


def stock_id(hardware: str) -> str:
    """Return the id under which capacity is counted: that of v1, whatever the spelling."""
    instance = INSTANCE_TYPES.get(hardware)
    return hardware if instance is None else instance.hardware.id
