"""Whether an endpoint that somebody else made is what a resource asks for.

What cannot be changed in place has to be as it is asked for. In the second generation that is a
matter of the deployment which serves, and of the weights that a model's name stands for.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.steps import Decision, FindWeights
from together_operator.resource.endpoint_status import DeploymentStatus, Role
from together_operator.resource.hardware import v1_hardware
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Deployment, Endpoint
from together_operator.resource.spec import SpeculativeDecoding

_REVISION = "/revisions/"


def known_weights(case: Case) -> Decision | None:
    """Have the weights known that the resource's model stands for, where that has to be looked up.

    Args:
        case: The resource.
    """
    model, known = case.desired.spec.model, case.memory.weights
    if not case.observed.deploys or (known is not None and known[0] == model):
        return None
    return case.read(
        FindWeights(case.observed.keys.user or "", model), Reason.ADOPTING, f"Looking up {model}"
    )


def differences(case: Case, endpoint: Endpoint) -> str | None:
    """What the resource asks for and Together cannot change in place.

    Args:
        case: The resource.
        endpoint: The endpoint, as last read.

    Returns:
        What to tell the person, or `None` if nothing stands in the way.
    """
    spec = case.desired.spec
    told = _of_deployment(case, endpoint) if case.observed.deploys else _of_model(case, endpoint)
    if v1_hardware(_hardware(endpoint)) != v1_hardware(spec.hardware):
        told.append(
            f"its hardware is '{_hardware(endpoint)}', and spec.hardware says '{spec.hardware}'"
        )
    unseen = {
        "spec.availabilityZone": spec.availability_zone is not None,
        "spec.speculativeDecoding": spec.speculative_decoding is not SpeculativeDecoding.AUTO,
    }
    told += [f"{name} cannot be checked on it, leave it out" for name in unseen if unseen[name]]
    return None if not told else f"{'; '.join(told)}. Correct the spec, or spec.adopt.endpointID"


def _hardware(endpoint: Endpoint) -> str:
    serving = _serving(endpoint)
    return endpoint.hardware if serving is None else serving.hardware


def _of_model(case: Case, endpoint: Endpoint) -> list[str]:
    asked = case.desired.spec.model
    if endpoint.model == asked:
        return []
    return [f"its model is '{endpoint.model}', and spec.model says '{asked}'"]


def _of_deployment(case: Case, endpoint: Endpoint) -> list[str]:
    """What its deployment is not, and what cannot be had with an endpoint that exists."""
    spec, serving = case.desired.spec, _serving(endpoint)
    if serving is None:
        return ["there is no deployment in it, so that there is nothing to take over"]
    told = []
    known = case.memory.weights
    weights = {name.partition(_REVISION)[0] for name in known[1]} if known is not None else set()
    if serving.model.partition(_REVISION)[0] not in weights:
        told.append(
            f"its deployment {serving.id} serves '{serving.model}', which is not what spec.model"
            f" '{spec.model}' stands for"
        )
    wished = spec.v2
    if wished is not None and wished.endpoint_name is not None:
        bare = endpoint.name.rpartition("/")[2]
        if bare != wished.endpoint_name:
            told.append(
                f"its name is '{bare}', and spec.v2.endpointName says '{wished.endpoint_name}'"
            )
    config = wished.config_id if wished is not None else None
    if config is not None and serving.config.rpartition("/")[2] != config:
        told.append(f"its config is '{serving.config}', and spec.v2.configID says '{config}'")
    return told


def _serving(endpoint: Endpoint) -> Deployment | None:
    """The deployment that has most of the traffic, and of several the oldest."""
    return max(
        endpoint.deployments or (),
        key=lambda d: (endpoint.weight(d.id), -d.created_at),
        default=None,
    )


def taken_over(endpoint: Endpoint) -> tuple[DeploymentStatus, ...]:
    """The deployment that goes on record with an endpoint that is taken over, if it has any.

    Args:
        endpoint: The endpoint, as last read.
    """
    serving = _serving(endpoint)
    if serving is None:
        return ()
    return (DeploymentStatus(id=serving.id, name=serving.name, role=Role.CURRENT.value),)
