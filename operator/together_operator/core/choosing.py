"""Which generation of Together's API carries a resource.

The choice is made once, is on record before anything is made in the second generation, and never
changes by itself afterwards: an endpoint in each would be one too many. Where the record of it is
lost, both are searched before anything is made in either.
"""

from __future__ import annotations

from collections.abc import Collection

from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.spec import Api, Spec
from together_operator.resource.status import Status

_OF_V2 = "ep_"
"""How Together's ids of v2 endpoints begin; those of v1 begin with `endpoint-`."""


def generation(
    spec: Spec,
    record: Status,
    *,
    closed: bool,
    first: Api,
    lost: bool = False,
    searched: Collection[Api] = (),
) -> Api:
    """The generation to look at, and to order from.

    Args:
        spec: What is asked for.
        record: The status, as far as it is this resource's own.
        closed: Whether Together has refused the account to create anything in v1.
        first: The generation that `Auto` tries first.
        lost: Whether there was a record once, and it is lost.
        searched: Where nothing was found of what that record may have told of.

    Returns:
        `V1` or `V2`.
    """
    if record.api in (Api.V1, Api.V2):
        return Api(record.api)
    operation = record.operation
    tried = operation is not None and (
        record.endpoint_id is not None
        or operation.phase is not OperationPhase.REFUSED
        or bool(operation.open)
    )
    if tried:
        # Whatever an attempt may have made is in the generation that it was sent to, and one that
        # was sent to v2 says so.
        return Api.V1
    if spec.api is Api.V2 and spec.adopt is None and lost and Api.V1 not in searched:
        # A move to v2 may have been under way, and the endpoint of v1 is still there then.
        return Api.V1
    if spec.api is not Api.AUTO:
        return spec.api
    if spec.adopt is not None:
        # What is there already is where it is, whatever the account may still create.
        return Api.V2 if spec.adopt.endpoint_id.startswith(_OF_V2) else Api.V1
    chosen = Api.V2 if closed else first
    other = Api.V1 if chosen is Api.V2 else Api.V2
    return other if lost and other not in searched else chosen


def everywhere(spec: Spec, searched: Collection[Api]) -> bool:
    """Whether what a lost record may have told of has been looked for wherever it can be.

    Args:
        spec: What is asked for.
        searched: Where nothing was found of it.
    """
    bound = spec.api is Api.V1 or spec.adopt is not None
    return bound or {Api.V1, Api.V2} <= set(searched)
