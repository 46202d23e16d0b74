"""What a refusal means for the person: a reason, Together's words, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from together_operator.resource.reasons import KEY_REFUSALS, Reason
from together_operator.resource.remote import Absent, NotSent, Offer, Refused, Unavailable
from together_operator.together import Kind, results

LONGEST_MESSAGE: Final = 1000
"""Characters of a message in a condition."""

TOLD: Final = " can use: "
"""What a message says that names the hardware for a model."""


@dataclass(frozen=True, slots=True)
class _Advice:
    reason: Reason
    next_step: str
    retryable: bool = False


_ADVICE: Final = {
    Kind.V1_CLOSED: _Advice(
        Reason.V1_CLOSED,
        "Together has closed API v1 for creating and restarting endpoints on this account, and no"
        " setting of the endpoint changes that. Set spec.api to Auto or V2: where nothing exists"
        " yet, API v2 carries it; an endpoint of v1 is moved by V2, and keeps serving meanwhile.",
    ),
    Kind.BLOCKED: _Advice(
        Reason.FORBIDDEN,
        "Cloudflare, in front of Together, blocks this client by its signature; the API key is not"
        " the problem. Check whether a proxy between the operator and Together changes requests or"
        " their User-Agent.",
        retryable=True,
    ),
    Kind.UNAUTHORIZED: _Advice(
        Reason.UNAUTHORIZED,
        "Put a valid API key of the right project into the Secret; it is read again by itself.",
        retryable=True,
    ),
    Kind.FORBIDDEN: _Advice(
        Reason.FORBIDDEN,
        "Check what the key and the account's tier permit. After a change of tier or payment it can"
        " take 15 minutes; it is tried again by itself.",
        retryable=True,
    ),
    Kind.PAYMENT_REQUIRED: _Advice(
        Reason.PAYMENT_REQUIRED,
        "Add credits or raise the spending limit in Together's billing settings; it is tried again"
        " by itself.",
        retryable=True,
    ),
    Kind.RATE_LIMITED: _Advice(
        Reason.RATE_LIMITED, "It is tried again by itself, more slowly.", retryable=True
    ),
    Kind.NO_CAPACITY: _Advice(
        Reason.WAITING_FOR_CAPACITY,
        "It is tried again by itself. To wait less, lower spec.autoscaling.minReplicas or choose"
        " another spec.hardware.",
        retryable=True,
    ),
    Kind.BAD_MODEL: _Advice(
        Reason.INVALID_MODEL,
        "Correct spec.model to a model that Together offers for dedicated endpoints.",
    ),
    Kind.BAD_HARDWARE: _Advice(
        Reason.INVALID_HARDWARE,
        "Correct spec.hardware to one of those that Together offers for this model.",
    ),
    Kind.BAD_ZONE: _Advice(
        Reason.INVALID_ZONE,
        "Correct spec.availabilityZone, or remove it to let Together choose.",
    ),
    # Without an id, only the model or the hardware can be what was not found.
    Kind.NOT_FOUND: _Advice(Reason.INVALID_MODEL, "Correct spec.model and spec.hardware."),
    Kind.INVALID: _Advice(
        Reason.INVALID_REQUEST, "Correct the field of the spec that Together's message names."
    ),
}


def refuse(answer: results.Refused, busy: Reason = Reason.CREATING) -> Refused:
    """Say what a refusal means for the person.

    Args:
        answer: The refusal.
        busy: What was being done, the reason if the endpoint cannot take it at the moment.
    """
    advice = _ADVICE.get(answer.kind) or _Advice(
        busy, "The endpoint cannot take this change now; it is tried again by itself.", True
    )
    return Refused(
        reason=advice.reason,
        message=f"{words(answer)}. {advice.next_step}",
        retryable=advice.retryable,
        retry_after=answer.retry_after,
    )


def unavailable(answer: results.Refused | results.Absent | results.Unavailable) -> Unavailable:
    """Say why a read has no answer.

    Args:
        answer: What came instead.
    """
    match answer:
        case results.Refused():
            advice = _ADVICE.get(answer.kind)
            if advice is not None and advice.reason in KEY_REFUSALS:
                return Unavailable(
                    advice.reason, f"{words(answer)}. {advice.next_step}", answer.retry_after
                )
            told = words(answer)
        case results.Absent():
            told = f"Together does not know the route: {answer.message}"
        case results.Unavailable(status=429):
            limited = _ADVICE[Kind.RATE_LIMITED]
            told = f"Together limits the rate of requests: {answer.message}"
            return Unavailable(limited.reason, f"{told}. {limited.next_step}", answer.retry_after)
        case results.Unavailable(status=None):
            told = f"Together cannot be reached: {answer.message}"
        case results.Unavailable():
            told = f"Together cannot answer: {answer.message}"
    retry_after = None if isinstance(answer, results.Absent) else answer.retry_after
    return Unavailable(
        Reason.UNREACHABLE,
        f"{told}. It is tried again by itself; if it lasts, check Together's status page, the"
        " operator's --base-url and its proxy.",
        retry_after,
    )


def without_answer(
    answer: results.Absent | results.Unavailable | results.NotSent,
) -> Absent | Unavailable | NotSent:
    """Say why a write was neither carried out nor refused.

    Args:
        answer: What came instead.
    """
    match answer:
        case results.Absent():
            return Absent()
        case results.Unavailable():
            return unavailable(answer)
        case results.NotSent():
            return NotSent(answer.message)


def with_hardware(refused: Refused, model: str, offers: Sequence[Offer]) -> Refused:
    """Add what the model can run on.

    Args:
        refused: The refusal.
        model: The model that was asked for.
        offers: What Together says that it can use.
    """
    if not offers:
        return with_items(
            refused,
            f"Together has no hardware for dedicated endpoints of {model}: correct spec.model.",
        )
    ranked = sorted(
        offers, key=lambda offer: (offer.availability == "unavailable", offer.cents_per_hour)
    )
    return with_items(refused, f"{model}{TOLD}", map(_offer, ranked))


def with_zones(refused: Refused, zones: Iterable[str]) -> Refused:
    """Add the zones that there are.

    Args:
        refused: The refusal.
        zones: The zones.
    """
    return with_items(refused, "Zones that Together names: ", sorted(zones))


def with_items(refused: Refused, lead: str, items: Iterable[str] = ()) -> Refused:
    """Add a sentence with as many items as fit.

    Args:
        refused: The refusal.
        lead: How the sentence begins.
        items: What it lists.
    """
    text = f"{refused.message} {lead}"
    listed = list(items)
    for number, item in enumerate(listed):
        rest = f" and {len(listed) - number} more."
        if len(text) + len(item) + len(rest) + 2 > LONGEST_MESSAGE:
            text = text.rstrip(" ,") + rest
            break
        text += item + (", " if number + 1 < len(listed) else ".")
    return Refused(refused.reason, text[:LONGEST_MESSAGE], refused.retryable, refused.retry_after)


def _offer(offer: Offer) -> str:
    price = f"${offer.cents_per_hour / 100:.2f}/h"
    return f"{offer.hardware} ({price}{', ' + offer.availability if offer.availability else ''})"


def words(answer: results.Refused) -> str:
    """What Together answered, on one line.

    Args:
        answer: The refusal.
    """
    about = f", field {answer.field}" if answer.field else ""
    code = f", code {answer.code}" if answer.code and answer.code != answer.message else ""
    return f"Together refused (HTTP {answer.status}{code}{about}): {answer.message.rstrip('. ')}"
