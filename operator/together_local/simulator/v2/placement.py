"""Where the replicas of a deployment of API v2 run.

Why: a placement can forbid what the hardware needs, and clients must be told so before
anything is bought.
"""

from __future__ import annotations

from together_local.simulator.assumptions import Assumptions
from together_local.simulator.errors import ApiError
from together_local.simulator.v2.bodies import Placement
from together_local.simulator.v2.hardware import (
    HIPAA_REGIONS,
    PLACEMENT_PROFILES,
    REGIONS,
    InstanceType,
)


def region_for(
    placement: Placement | None, instance: InstanceType, assumptions: Assumptions
) -> str:
    """Return the region that a deployment is put into.

    Args:
        placement: What the request wants; None: anything.
        instance: What a replica runs on.
        assumptions: What holds of unknown regions.

    Raises:
        ApiError: 400, when there is no such place; 404 for an unknown profile.
    """
    offered = [name for name, gpus in REGIONS.items() if instance.accelerator.gpu in gpus]
    if placement is None:
        return offered[0]
    if placement.profile is not None:
        profile = PLACEMENT_PROFILES.get(placement.profile)
        if profile is None:
            message = f"Placement profile {placement.profile!r} not found"
            raise ApiError(404, message, param="placement.profile")
        return next((name for name in profile[1] if name in offered), offered[0])
    inline = placement.inline
    if inline is None:
        return offered[0]
    unknown = [name for name in inline.regions if name not in REGIONS]
    if unknown and assumptions.unknown_region == "refuse":
        message = f"Unknown region {unknown[0]!r}; known regions: {', '.join(sorted(REGIONS))}"
        raise ApiError(400, message, param="placement.inline.regions")
    wanted = [name for name in inline.regions if name in REGIONS]
    if inline.compliance_policy is not None and inline.compliance_policy.hipaa:
        offered = [name for name in offered if name in HIPAA_REGIONS]
    fitting = [name for name in wanted or offered if name in offered]
    if fitting:
        return fitting[0]
    if offered and inline.constraint == "ENFORCEMENT_PREFERRED":
        return offered[0]
    message = f"{instance.name} is not available in {', '.join(inline.regions) or 'such a region'}"
    raise ApiError(400, message, param="placement.inline.regions")
