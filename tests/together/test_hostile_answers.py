"""Answers that nobody expects: they never break the client and never carry the key further."""

from __future__ import annotations

import json

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.together.fake import CREATE, ENDPOINT, KEY, STOP, nested, ok, together
from together_operator.together import results


async def test_an_answer_that_quotes_the_key_is_told_without_it() -> None:
    for answer in (
        nested(401, f"Invalid key {KEY}"),
        httpx.Response(502, text=f"bad gateway {KEY}"),
        httpx.ReadError(f"broken {KEY}"),
        ok({**ENDPOINT, "state": None, "name": KEY}),
    ):
        for seen in (
            await together(answer).client().create_endpoint(CREATE),
            await together(answer).client().get_endpoint("endpoint-1"),
        ):
            assert not isinstance(seen, results.Ok)
            assert KEY not in repr(seen)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*ENDPOINT, "data", "avzones", "has_more", "pricing", "error"])
BODIES = (
    st.binary()
    | JSON.map(lambda body: json.dumps(body).encode())
    | st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON), max_size=3)).map(
        lambda body: json.dumps({**ENDPOINT, **body}).encode()
    )
)


@given(st.sampled_from([200, 204, 400, 403, 404, 409, 422]), BODIES)
async def test_no_answer_breaks_the_client(status: int, body: bytes) -> None:
    client = together(httpx.Response(status, content=body)).client()
    await client.create_endpoint(CREATE)
    await client.get_endpoint("endpoint-1")
    await client.list_endpoints()
    await client.update_endpoint("endpoint-1", STOP)
    await client.list_hardware("a/b")
    await client.list_availability_zones()
    await client.probe("x")
