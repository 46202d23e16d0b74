"""What a refusal or silence says about the connection to Together, told apart from an answer."""

from __future__ import annotations

import pytest

from together_operator.core.causes import cause
from together_operator.resource.reasons import KEY_REFUSALS, Reason

BROKEN = {
    Reason.UNAUTHORIZED,
    Reason.FORBIDDEN,
    Reason.PAYMENT_REQUIRED,
    Reason.SECRET_MISSING,
    Reason.UNREACHABLE,
}


@pytest.mark.parametrize("reason", Reason)
def test_what_breaks_the_connection_is_its_own_cause_and_nothing_else_is(reason: Reason) -> None:
    assert cause(reason) == (reason if reason in BROKEN else None)


@pytest.mark.parametrize("reason", Reason)
def test_what_lasts_is_a_cause_only_where_together_asks_for_patience(reason: Reason) -> None:
    broken = BROKEN | {Reason.RATE_LIMITED}
    assert cause(reason, lasting=True) == (reason if reason in broken else None)


def test_another_key_helps_against_what_is_about_the_key() -> None:
    """Not against silence, nor where there is no key at all."""
    assert BROKEN - {Reason.SECRET_MISSING, Reason.UNREACHABLE} == KEY_REFUSALS
