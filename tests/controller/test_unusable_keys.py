"""Whatever is in a Secret in place of a key: it is refused, or used, and never shown."""

from __future__ import annotations

import traceback

import pytest

from tests.controller.fake_kube import FakeKube
from tests.controller.keyring import held, resource, ring, trouble
from tests.controller.virtual import virtually
from tests.support.leaks import assert_no_key
from together_operator.resource.reasons import Reason

UNUSABLE = (
    "two-lines-0123456789\nX-Injected: yes",
    "carriage-return-0123456789\r\nHost: elsewhere",
    '{"api-key": "0123456789abcdef"}',
    "schlüssel-0123456789-日本",
    "nul-0123456789\x00abcdef",
    "k3y-0123456789abcdef" * 100,
)
USABLE = (
    '{"api-key":"0123456789abcdef"}',
    "quote\"back\\slash'0123456789",
    "a%2Fb+c=d&e?f#0123456789",
    "Bearer:0123456789abcdef,X-Injected:yes",
)


@pytest.mark.parametrize("key", UNUSABLE, ids=lambda key: key[:12])
def test_what_cannot_be_a_key_is_refused_without_being_shown(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key(key)
        keys = ring(kube)
        with caplog.at_level("DEBUG"):
            refused = trouble(await keys.user(resource(kube), anew=True))
        assert refused.reason is Reason.UNAUTHORIZED
        told = {"the message": refused.message, "the log": caplog.text, "a repr": repr(keys)}
        assert_no_key(told, [key])

    virtually(scene())


@pytest.mark.parametrize("key", USABLE, ids=lambda key: key[:12])
def test_a_key_of_any_characters_is_used_without_being_shown(key: str) -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key(key)
        keys, one = ring(kube), resource(kube)
        found = held(await keys.user(one, anew=True))
        await keys.keep(one, found)
        try:
            raise RuntimeError(found, found.credential, keys)
        except RuntimeError as error:
            told = "".join(traceback.format_exception(error))
        assert_no_key({"a traceback": told, "a repr": repr(found), "all": repr(keys)}, [key])

    virtually(scene())
