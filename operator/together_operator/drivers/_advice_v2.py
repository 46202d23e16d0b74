"""What a refusal of API v2 means for the person, where it means something that v1 has not.

Names, etags, rollouts and the order in which things are taken down are of v2 alone. The same status
says each of them, so it is the kind and the words that count.
"""

from __future__ import annotations

import re
from typing import Final

from together_operator.drivers._advice import refuse, words
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import NotSent, Order, Refused, Unavailable
from together_operator.together import Kind, results

SHORTEST_TIMEOUT: Final = 30
LONGEST_TIMEOUT: Final = 1440
"""Minutes of the idle timeout of a deployment."""

_ROLLOUT_WORDS: Final = re.compile(r"\brollout\b|\brol_\w")
_SPLIT_WORDS: Final = re.compile(r"\btraffic[ _]?split\b")
_FAILED_WORDS: Final = re.compile(r"\bfailed\b.*\b(cannot|can't|not)\b")
_NOTHING_WORDS: Final = re.compile(r"\bno (fields?|changes?) to update\b|\bnothing to update\b")
_TIMEOUT_WORDS: Final = re.compile(r"inactive_?timeout")
_UNKNOWN_WORDS: Final = re.compile(
    r"\b(unknown|unrecogni[sz]ed|unexpected|unsupported|retired|no such)\b"
    r"|\bnot (supported|recogni[sz]ed|permitted|known)\b|\bcannot find\b"
)
_CONFLICTS: Final = frozenset({409, 412})
_ORDERING: Final = frozenset({400, 409, 412, 422})


def held(answer: Unavailable) -> Refused | NotSent:
    """Say of something that was to be made that it was not even asked for.

    Args:
        answer: Why what has to be known before cannot be read.
    """
    if answer.reason is Reason.UNREACHABLE:
        return NotSent(answer.message)
    return Refused(answer.reason, answer.message, True, answer.retry_after)


def not_created(answer: results.Refused, order: Order) -> Refused:
    """Say why an endpoint was not made.

    Args:
        answer: The refusal.
        order: What was asked for.
    """
    if answer.kind is Kind.TAKEN or _conflicts(answer):
        return Refused(
            Reason.NAME_TAKEN,
            f"{words(answer)}. Set spec.v2.endpointName to a name that is free in the project, or"
            f" remove the endpoint '{order.endpoint_name}' at Together if nobody needs it.",
        )
    if answer.kind is Kind.NOT_FOUND:
        return Refused(
            Reason.FORBIDDEN,
            f"{words(answer)}. Together does not show the key its own project; check the key in the"
            " Secret. It is tried again by itself.",
            retryable=True,
        )
    if answer.field == "name":
        return Refused(
            Reason.INVALID_REQUEST,
            f"{words(answer)}. Set spec.v2.endpointName to at most 63 lower-case letters, digits"
            " and hyphens.",
        )
    return refuse(answer)


def not_deployed(answer: results.Refused, order: Order) -> Refused:
    """Say why a deployment was not made.

    Args:
        answer: The refusal.
        order: What was asked for.
    """
    if timeout_is_unknown(answer):
        return no_timeout(words(answer))
    if _about(answer, _ROLLOUT_WORDS):
        return _rollout(answer)
    if answer.kind is Kind.TAKEN or _conflicts(answer):
        return Refused(
            Reason.NAME_TAKEN,
            f"{words(answer)}. A deployment of this name exists in '{order.endpoint_name}'.",
        )
    if answer.kind is Kind.BAD_ZONE or (answer.field or "").startswith("placement"):
        return Refused(
            Reason.UNSUPPORTED,
            f"{words(answer)}. Correct spec.availabilityZone, or remove it to let Together choose.",
        )
    if answer.status == 404:
        # The endpoint is there, so it is what the catalogue had named.
        return Refused(
            Reason.INVALID_MODEL,
            f"{words(answer)}. Together's catalogue has changed; it is read again by itself.",
            retryable=True,
        )
    return refuse(answer)


def not_changed(answer: results.Refused, busy: Reason) -> Refused:
    """Say why a deployment, or the traffic of an endpoint, was not changed.

    Args:
        answer: The refusal.
        busy: What was being done.
    """
    if timeout_is_unknown(answer):
        return no_timeout(words(answer))
    if _about(answer, _ROLLOUT_WORDS):
        return _rollout(answer)
    if answer.kind is Kind.STALE:
        return _stale(answer)
    if _about(answer, _FAILED_WORDS) and answer.kind is Kind.INVALID:
        return Refused(
            Reason.ENDPOINT_FAILED,
            f"{words(answer)}. API v2 never starts a deployment again that has failed.",
        )
    if answer.kind is Kind.NOT_FOUND:
        return Refused(
            busy,
            f"{words(answer)}. It is looked at again by itself.",
            retryable=True,
        )
    return refuse(answer, busy)


def not_removed(answer: results.Refused) -> Refused:
    """Say why a deployment or an endpoint was not removed.

    A removal says nothing that could be wrong; what refuses it is what has to go first.

    Args:
        answer: The refusal.
    """
    if _about(answer, _ROLLOUT_WORDS):
        return _rollout(answer)
    if answer.kind is Kind.STALE:
        return _stale(answer)
    if _about(answer, _SPLIT_WORDS):
        return Refused(
            Reason.UPDATING,
            f"{words(answer)}. It has to leave the traffic of its endpoint first; it is tried again"
            " by itself.",
            retryable=True,
        )
    if answer.status in _ORDERING and answer.kind is not Kind.NO_CAPACITY:
        return Refused(
            Reason.DELETING,
            f"{words(answer)}. Together removes a deployment once it is stopped, and an endpoint"
            " once it has none; it is tried again by itself.",
            retryable=True,
        )
    return refuse(answer, Reason.DELETING)


def timeout_is_unknown(answer: results.Refused) -> bool:
    """Whether Together does not know the idle timeout, as some of its pages say.

    Args:
        answer: The refusal.
    """
    text = f"{answer.field or ''} {answer.message}".lower()
    return (
        answer.status in _ORDERING
        and _TIMEOUT_WORDS.search(text) is not None
        and _UNKNOWN_WORDS.search(answer.message.lower()) is not None
    )


def empty_is_unknown(answer: results.Refused) -> bool:
    """Whether Together takes an empty list of traffic for one that was not sent.

    Args:
        answer: The refusal.
    """
    return _about(answer, _NOTHING_WORDS)


def no_timeout(said: str) -> Refused:
    """Say that the account has no idle timeout.

    Args:
        said: What Together said.
    """
    return Refused(
        Reason.UNSUPPORTED,
        f"{said}. API v2 has no idle timeout on this account: remove"
        " spec.inactiveTimeoutMinutes, or set it to 0, and stop the endpoint with spec.state"
        " when it is not needed.",
    )


def bad_timeout(minutes: int) -> Refused | None:
    """Say that no deployment can have this idle timeout, if so.

    Args:
        minutes: What was asked for; 0 is never.
    """
    if minutes == 0 or SHORTEST_TIMEOUT <= minutes <= LONGEST_TIMEOUT:
        return None
    return Refused(
        Reason.INVALID_REQUEST,
        f"spec.inactiveTimeoutMinutes is {minutes}, and API v2 takes {SHORTEST_TIMEOUT} to"
        f" {LONGEST_TIMEOUT} minutes. Correct it, or set it to 0 for never.",
    )


def _about(answer: results.Refused, pattern: re.Pattern[str]) -> bool:
    return answer.status in _ORDERING and pattern.search(answer.message.lower()) is not None


def _conflicts(answer: results.Refused) -> bool:
    return answer.status in _CONFLICTS and answer.kind in {Kind.BUSY, Kind.STALE}


def _rollout(answer: results.Refused) -> Refused:
    return Refused(
        Reason.UPDATING,
        f"{words(answer)}. While a rollout of the endpoint is under way, nothing of it can be"
        " changed; it is tried again by itself. To go on sooner, end the rollout at Together.",
        retryable=True,
    )


def _stale(answer: results.Refused) -> Refused:
    return Refused(
        Reason.UPDATING,
        f"{words(answer)}. It was changed at the same moment by somebody else; it is looked at"
        " again and decided afresh.",
        retryable=True,
    )
