"""What one minimal inference request says about an endpoint, alike in both generations."""

from __future__ import annotations

from typing import Final

from together_operator.drivers._advice import unavailable
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Done, Refused, Unavailable
from together_operator.together import Kind, results

_ANSWERED: Final = frozenset({400, 422})


def probed(
    name: str, answer: results.Ok[None] | results.Refused | results.Ambiguous | results.NotSent
) -> Done | Refused | Unavailable:
    """Tell whether the model answered.

    A model that does not chat says so in an error of its own, and that is an answer as well.

    Args:
        name: The endpoint's inference name.
        answer: What came of the request.
    """
    match answer:
        case results.Ok():
            return Done()
        case results.NotSent():
            return unavailable(results.Unavailable(answer.message))
        case results.Ambiguous():
            return _not_yet(name, answer.message)
        case results.Refused(status=429):
            return unavailable(
                results.Unavailable(answer.message, 429, retry_after=answer.retry_after)
            )
        case results.Refused(status=401 | 402 | 403):
            return unavailable(answer)
        case results.Refused():
            answered = answer.status in _ANSWERED and answer.kind is not Kind.NOT_SERVING
            return Done() if answered else _not_yet(name, answer.message)


def _not_yet(name: str, message: str) -> Refused:
    return Refused(
        Reason.PROBING,
        f"{name} is started but does not answer inference yet: {message.rstrip('. ')}. It is asked"
        " again by itself.",
        retryable=True,
    )
