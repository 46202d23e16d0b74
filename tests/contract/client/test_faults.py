"""Everything that goes wrong on the way, and what it left at Together.

The ledger is the judge: how often a request arrived, and whether an endpoint lives.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contract.client.conftest import ORDER, MakeDriver
from together_local.simulator.client import AdminClient
from together_operator.drivers import V1Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Change,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Refused,
    Unavailable,
)

ONE = "^/v1/endpoints/"
ALL = "^/v1/endpoints$"
CHANGE = Change(display_name="renamed")


@dataclass(frozen=True)
class Create:
    """A fault that meets a create.

    Attributes:
        fault: As the admin route takes it.
        outcome: What the driver must say.
        live: How many endpoints it leaves.
        reason: Of a refusal.
    """

    fault: dict[str, Any]
    outcome: type
    live: int
    reason: Reason | None = None
    retry_after: float | None = None
    seconds: float = field(default=20)


CREATES = {
    "cut before the effect": Create({"fault": "reset_before"}, Ambiguous, 0),
    "cut after the effect": Create({"fault": "reset_after"}, Ambiguous, 1),
    "answer later than the limit": Create(
        {"fault": "delay", "seconds": 3}, Ambiguous, 1, seconds=0.5
    ),
    "answer within the limit": Create({"fault": "delay", "seconds": 0.3}, Done, 1),
    "500": Create({"fault": "status", "status": 500}, Ambiguous, 0),
    "503 as text": Create({"fault": "status", "status": 503, "body": "overloaded"}, Ambiguous, 0),
    "524 of Cloudflare": Create(
        {"fault": "status", "status": 524, "body": "error code: 524"}, Ambiguous, 0
    ),
    "409": Create({"fault": "status", "status": 409}, Ambiguous, 0),
    "408": Create({"fault": "status", "status": 408}, Ambiguous, 0),
    "400 as text": Create({"fault": "status", "status": 400, "body": "bad"}, Ambiguous, 0),
    "200 as text": Create({"fault": "status", "status": 200, "body": "<html>"}, Ambiguous, 0),
    "302": Create(
        {"fault": "status", "status": 302, "body": "", "headers": {"Location": "/v1/endpoints"}},
        Ambiguous,
        0,
    ),
    "429": Create({"fault": "status", "status": 429}, Refused, 0, Reason.RATE_LIMITED),
    "429 with a pause": Create(
        {"fault": "status", "status": 429, "headers": {"Retry-After": "12"}},
        Refused,
        0,
        Reason.RATE_LIMITED,
        retry_after=12,
    ),
    "402": Create({"fault": "status", "status": 402}, Refused, 0, Reason.PAYMENT_REQUIRED),
    "403": Create({"fault": "status", "status": 403}, Refused, 0, Reason.FORBIDDEN),
    "403 of Cloudflare": Create(
        {"fault": "status", "status": 403, "body": "error code: 1010"},
        Refused,
        0,
        Reason.FORBIDDEN,
    ),
    "422": Create({"fault": "status", "status": 422}, Refused, 0, Reason.INVALID_REQUEST),
    "hidden in the list": Create({"fault": "hide_in_list", "seconds": 60}, Done, 1),
}


@pytest.mark.parametrize("case", CREATES.values(), ids=CREATES)
async def test_a_create_is_sent_exactly_once(
    case: Create, make_driver: MakeDriver, admin: AdminClient
) -> None:
    admin.arm({"method": "POST", "path_regex": ALL, **case.fault})
    outcome = await make_driver(seconds=case.seconds).create(ORDER)
    assert isinstance(outcome, case.outcome), outcome
    if isinstance(outcome, Refused):
        assert outcome.reason is case.reason
        assert outcome.retry_after == case.retry_after
    assert len(admin.requests("POST")) == 1
    assert admin.faults()[0]["hits"] == 1
    assert len(admin.live()) == case.live


async def test_an_effect_that_comes_late_is_found_by_the_list(
    driver: V1Driver, admin: AdminClient
) -> None:
    admin.arm({"method": "POST", "path_regex": ALL, "fault": "late_effect", "seconds": 0.5})
    assert isinstance(await driver.create(ORDER), Ambiguous)
    async with asyncio.timeout(20):
        while True:
            listing = await driver.list()
            assert isinstance(listing, Listing)
            if listing.endpoints:
                break
            await asyncio.sleep(0.05)
    [endpoint_id] = listing.endpoints
    endpoint = await driver.get(endpoint_id)
    assert isinstance(endpoint, Endpoint)
    assert endpoint.display_name == ORDER.display_name
    assert len(admin.requests("POST")) == 1


async def test_a_create_that_was_held_back_never_arrives(
    driver: V1Driver, admin: AdminClient
) -> None:
    assert isinstance(await driver.create(ORDER, fence=lambda: False), NotSent)
    assert admin.ledger()["requests"] == []


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "reset_before"},
        {"fault": "reset_after"},
        {"fault": "status", "status": 500},
        {"fault": "status", "status": 503, "body": "overloaded"},
        {"fault": "status", "status": 429},
        {"fault": "status", "status": 429, "headers": {"Retry-After": "0"}},
    ],
    ids=str,
)
async def test_a_read_gets_over_two_faults(
    fault: dict[str, Any], driver: V1Driver, admin: AdminClient
) -> None:
    admin.arm({"method": "GET", "path_regex": ALL, "times": 2, **fault})
    assert isinstance(await driver.list(), Listing)
    assert len(admin.requests("GET")) == 3


async def test_a_read_gives_up_and_says_why(driver: V1Driver, admin: AdminClient) -> None:
    admin.arm({"method": "GET", "fault": "status", "status": 503, "body": "busy", "times": -1})
    seen = await driver.list()
    assert isinstance(seen, Unavailable)
    assert seen.reason is Reason.UNREACHABLE
    assert "busy" in seen.message
    assert len(admin.requests("GET")) == 3


async def test_a_read_leaves_a_long_pause_to_its_caller(
    driver: V1Driver, admin: AdminClient
) -> None:
    headers = {"Retry-After": "60"}
    admin.arm({"method": "GET", "fault": "status", "status": 429, "headers": headers})
    seen = await driver.list()
    assert isinstance(seen, Unavailable)
    assert (seen.reason, seen.retry_after) == (Reason.RATE_LIMITED, 60)
    assert len(admin.requests("GET")) == 1


async def made(driver: V1Driver, admin: AdminClient) -> str:
    """Make an endpoint, let it start, and return its id."""
    done = await driver.create(ORDER)
    assert isinstance(done, Done)
    assert done.endpoint is not None
    admin.advance(600)
    return done.endpoint.id


@pytest.mark.parametrize(
    ("fault", "outcome", "happened"),
    [
        ({"fault": "reset_before"}, Unavailable, False),
        ({"fault": "reset_after"}, Unavailable, True),
        ({"fault": "delay", "seconds": 3}, Unavailable, True),
        ({"fault": "status", "status": 500}, Unavailable, False),
        ({"fault": "status", "status": 503, "body": "busy"}, Unavailable, False),
        ({"fault": "status", "status": 429}, Unavailable, False),
        ({"fault": "status", "status": 409}, Refused, False),
        ({"fault": "status", "status": 403, "body": "error code: 1010"}, Refused, False),
        ({"fault": "not_found"}, Absent, False),
        ({"fault": "status", "status": 404, "body": "404 page not found"}, Unavailable, False),
    ],
    ids=str,
)
async def test_a_change_is_sent_once_and_its_doubt_left_to_a_look(
    fault: dict[str, Any],
    outcome: type,
    happened: bool,
    make_driver: MakeDriver,
    admin: AdminClient,
) -> None:
    endpoint_id = await made(make_driver(), admin)
    hasty = make_driver(seconds=0.5)
    for verb, send in (
        ("PATCH", hasty.update(endpoint_id, CHANGE)),
        ("DELETE", hasty.delete(endpoint_id)),
    ):
        admin.clear_faults()
        admin.arm({"method": verb, "path_regex": ONE, **fault})
        seen = await send
        assert isinstance(seen, outcome), seen
        assert len(admin.requests(verb)) == 1
    renamed = admin.endpoints()[0]["display_name"] == "renamed"
    assert (renamed, admin.live() == []) == (happened, happened)


async def test_a_false_404_and_a_gap_in_the_list(driver: V1Driver, admin: AdminClient) -> None:
    endpoint_id = await made(driver, admin)
    admin.arm(
        {"method": "GET", "path_regex": ONE, "fault": "not_found"},
        {"fault": "omit", "body": [endpoint_id]},
    )
    assert await driver.get(endpoint_id) == Absent()
    assert isinstance(await driver.get(endpoint_id), Endpoint)
    gap = await driver.list()
    assert isinstance(gap, Listing)
    assert gap.endpoints == {}
    listing = await driver.list()
    assert isinstance(listing, Listing)
    assert list(listing.endpoints) == [endpoint_id]


async def test_the_probe_is_patient(driver: V1Driver, admin: AdminClient) -> None:
    await made(driver, admin)
    [endpoint] = admin.live()
    for fault, outcome in (
        ({"fault": "reset_before"}, Refused),
        ({"fault": "status", "status": 503, "body": "busy"}, Refused),
        ({"fault": "status", "status": 429}, Unavailable),
        ({"fault": "status", "status": 401}, Unavailable),
    ):
        admin.arm({"method": "POST", "path_regex": "chat", **fault})
        assert isinstance(await driver.probe(endpoint["name"]), outcome)
    assert await driver.probe(endpoint["name"]) == Done()
    assert len(admin.requests("POST", "/v1/chat/completions")) == 5


async def test_the_observer_counts_what_arrived(
    make_driver: MakeDriver, admin: AdminClient
) -> None:
    counted: list[tuple[str, str, str]] = []
    driver = make_driver(
        observer=lambda method, route, outcome, _: counted.append((method, route, outcome))
    )
    admin.arm({"method": "GET", "path_regex": ONE, "fault": "reset_before"})
    endpoint_id = await made(driver, admin)
    await driver.get(endpoint_id)
    await driver.delete(endpoint_id)
    assert counted == [
        ("POST", "/endpoints", "200"),
        ("GET", "/endpoints/{id}", "broken"),
        ("GET", "/endpoints/{id}", "200"),
        ("DELETE", "/endpoints/{id}", "204"),
    ]
    assert len(admin.ledger()["requests"]) == len(counted)
