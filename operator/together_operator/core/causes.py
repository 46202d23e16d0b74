"""What is wrong with the connection to Together, told apart from what is an answer."""

from __future__ import annotations

from together_operator.resource.reasons import KEY_REFUSALS, Reason

PASSING = KEY_REFUSALS | {Reason.WAITING_FOR_CAPACITY, Reason.RATE_LIMITED, Reason.UNREACHABLE}
"""Refusals that may pass without a change of the resource."""

_ABOUT_THE_CONNECTION = KEY_REFUSALS | {Reason.SECRET_MISSING, Reason.UNREACHABLE}


def cause(reason: Reason, *, lasting: bool = False) -> Reason | None:
    """What a refusal or silence says about the connection to Together, if it says anything.

    That an order has to wait, or that an endpoint is busy, is an answer like any other.

    Args:
        reason: What was seen.
        lasting: Whether it has been so several times in a row.
    """
    broken = lasting and reason is Reason.RATE_LIMITED
    return reason if broken or reason in _ABOUT_THE_CONNECTION else None
