"""Answers that nobody expects: they never break the client and never carry the key further."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.together.fake import CREATE, ENDPOINT, KEY, STOP, nested, ok, together
from tests.together.fake import ORDER as WANTED
from together_operator.drivers import V2Driver
from together_operator.resource.remote import Bounds, Change
from together_operator.together import (
    CreateDeployment,
    CreateRoutedEndpoint,
    ReplicaBoundsV2,
    UpdateRoutedEndpoint,
    results,
)


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
FIELDS = st.sampled_from(
    [
        *(*ENDPOINT, "data", "avzones", "has_more", "pricing", "error", "next_cursor", "project"),
        *("trafficSplit", "deployments", "autoscaling", "status", "details", "selectors"),
    ]
)
BODIES = (
    st.binary()
    | JSON.map(lambda body: json.dumps(body).encode())
    | st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON), max_size=3)).map(
        lambda body: json.dumps({**ENDPOINT, **body}).encode()
    )
)


# How long an example takes says nothing about the client on a busy machine.
@settings(deadline=None)
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


ORDER = CreateDeployment(
    name="first",
    model="projects/p/models/m",
    config="projects/p/configs/c",
    autoscaling=ReplicaBoundsV2(min_replicas=1, max_replicas=1),
)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([200, 400, 403, 404, 409, 412, 429]), BODIES)
async def test_no_answer_breaks_the_client_of_v2(status: int, body: bytes) -> None:
    client = together(httpx.Response(status, content=body)).client_v2()
    await client.catalogue.whoami()
    await client.catalogue.search_models("a/b")
    await client.catalogue.list_configs("p", "projects/p/models/m")
    await client.catalogue.list_instance_types()
    await client.list_endpoints("p")
    await client.get_endpoint("p", "ep_1")
    await client.create_endpoint("p", CreateRoutedEndpoint(name="x"))
    await client.update_endpoint("p", "ep_1", UpdateRoutedEndpoint(traffic_split=()))
    await client.list_deployments("p", "ep_1")
    await client.create_deployment("p", "ep_1", ORDER)
    await client.check_deployment("p", "ep_1", ORDER)
    await client.delete_deployment("p", "ep_1", "dep_1")
    await client.list_events("p", "ep_1")
    await client.probe("x")


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([200, 400, 403, 404, 409, 412, 429]),
    st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON), max_size=3)),
)
async def test_no_answer_breaks_the_driver_of_v2(status: int, body: dict[str, object]) -> None:
    who = {"project": {"id": "proj_1", "slug": "team"}}
    answer = httpx.Response(status, content=json.dumps({**ENDPOINT, **body}))
    driver = V2Driver(together(ok(who), answer).client_v2())
    await driver.list()
    await driver.get("ep_1")
    await driver.offers("a/b")
    await driver.create(replace(WANTED, endpoint_name="x"))
    await driver.deploy("ep_1", "x", WANTED)
    await driver.update("ep_1", Change(bounds=Bounds(1, 1), inactive_timeout_minutes=0), "dep_1")
    await driver.route("ep_1", (), "etag")
    await driver.undeploy("ep_1", "dep_1")
    await driver.delete("ep_1")
    await driver.probe("x")
