"""The whole life of an endpoint through the driver, as the simulated Together's ledger saw it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.client.conftest import KEY_A, KEY_B, MODEL, ORDER, MakeDriver
from together_local.simulator.client import AdminClient
from together_operator.drivers import V1Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Bounds,
    Change,
    Done,
    Endpoint,
    Listing,
    Phase,
    Refused,
    Unavailable,
)


async def made(driver: V1Driver, **changes: Any) -> Endpoint:
    done = await driver.create(replace(ORDER, **changes))
    assert isinstance(done, Done), done
    assert done.endpoint is not None
    return done.endpoint


async def seen(driver: V1Driver, endpoint_id: str) -> Endpoint:
    endpoint = await driver.get(endpoint_id)
    assert isinstance(endpoint, Endpoint), endpoint
    return endpoint


async def test_from_nothing_to_gone(driver: V1Driver, admin: AdminClient) -> None:
    endpoint = await made(driver)
    assert endpoint.phase is Phase.PENDING
    assert endpoint.display_name == ORDER.display_name
    assert endpoint.bounds == Bounds(1, 2)
    listing = await driver.list()
    assert isinstance(listing, Listing)
    assert list(listing.endpoints) == [endpoint.id]
    assert listing.endpoints[endpoint.id].phase is Phase.PENDING
    assert abs(listing.endpoints[endpoint.id].created_at - endpoint.created_at) < 0.002
    assert abs(listing.date - endpoint.created_at) <= 1

    admin.advance(11)
    assert (await seen(driver, endpoint.id)).phase is Phase.STARTING
    admin.advance(120)
    assert (await seen(driver, endpoint.id)).phase is Phase.STARTED
    probed = await driver.probe(endpoint.name)
    assert isinstance(probed, Refused)
    assert (probed.reason, probed.retryable) == (Reason.PROBING, True)
    admin.advance(10)
    assert await driver.probe(endpoint.name) == Done()

    change = Change(display_name="renamed", bounds=Bounds(2, 3), inactive_timeout_minutes=0)
    done = await driver.update(endpoint.id, change)
    assert isinstance(done, Done)
    assert done.endpoint is not None
    assert (done.endpoint.display_name, done.endpoint.bounds) == ("renamed", Bounds(2, 3))

    assert isinstance(await driver.stop(endpoint.id), Done)
    assert (await seen(driver, endpoint.id)).phase is Phase.STOPPING
    admin.advance(60)
    assert (await seen(driver, endpoint.id)).phase is Phase.STOPPED
    assert isinstance(await driver.probe(endpoint.name), Refused)

    assert isinstance(await driver.start(endpoint.id, ORDER), Done)
    assert (await seen(driver, endpoint.id)).phase is Phase.PENDING

    assert await driver.delete(endpoint.id) == Done()
    assert await driver.get(endpoint.id) == Absent()
    assert await driver.delete(endpoint.id) == Absent()
    assert await driver.stop(endpoint.id) == Absent()
    lagging = await driver.list()
    assert isinstance(lagging, Listing)
    assert list(lagging.endpoints) == [endpoint.id]
    admin.advance(60)
    listing = await driver.list()
    assert isinstance(listing, Listing)
    assert listing.endpoints == {}

    totals = admin.ledger()["totals"]
    assert (totals["creates"], totals["deletes"], totals["live"]) == (1, 1, 0)


async def test_every_field_of_a_create_arrives(driver: V1Driver, admin: AdminClient) -> None:
    await made(driver, hardware="2xnvidia-h100-80gb", availability_zone="us-central-4b")
    [posted] = admin.requests("POST", "/v1/endpoints")
    assert posted["body"] == {
        "model": MODEL,
        "hardware": "2x_nvidia_h100_80gb_sxm",
        "autoscaling": {"min_replicas": 1, "max_replicas": 2},
        "display_name": ORDER.display_name,
        "state": "STARTED",
        "inactive_timeout": 60,
        "disable_speculative_decoding": True,
        "availability_zone": "us-central-4b",
    }


async def test_created_stopped(driver: V1Driver, admin: AdminClient) -> None:
    endpoint = await made(driver, started=False)
    admin.advance(600)
    assert (await seen(driver, endpoint.id)).phase is Phase.STOPPED
    assert admin.ledger()["totals"]["billed_cents"] == 0


async def test_never_stops_for_idleness_where_zero_was_asked(
    driver: V1Driver, admin: AdminClient
) -> None:
    never = await made(driver, inactive_timeout_minutes=0)
    hourly = await made(driver, inactive_timeout_minutes=60)
    admin.advance(3 * 3600)
    assert (await seen(driver, never.id)).phase is Phase.STARTED
    assert (await seen(driver, hourly.id)).phase is Phase.STOPPED


async def test_words_and_fields_that_nobody_knows_yet(driver: V1Driver, admin: AdminClient) -> None:
    endpoint = await made(driver)
    admin.assume(extra_fields=True)
    admin.force(endpoint.id, state="MIGRATING", colour="green")
    known = await seen(driver, endpoint.id)
    assert (known.state, known.phase) == ("MIGRATING", Phase.UNKNOWN)
    assert known.ready_replicas is not None
    listing = await driver.list()
    assert isinstance(listing, Listing)
    assert listing.endpoints[endpoint.id].phase is Phase.UNKNOWN
    admin.force(endpoint.id, state="ERROR")
    assert (await seen(driver, endpoint.id)).phase is Phase.FAILED


async def test_a_project_sees_only_its_own(make_driver: MakeDriver, admin: AdminClient) -> None:
    ours, theirs = make_driver(KEY_A), make_driver(KEY_B)
    endpoint = await made(theirs)
    listing = await ours.list()
    assert isinstance(listing, Listing)
    assert listing.endpoints == {}
    assert await ours.get(endpoint.id) == Absent()
    assert await ours.delete(endpoint.id) == Absent()
    admin.assume(foreign_endpoint_status=403)
    refused = await ours.get(endpoint.id)
    assert isinstance(refused, Unavailable)
    assert refused.reason is Reason.FORBIDDEN
    assert (await seen(theirs, endpoint.id)).id == endpoint.id


async def test_prices_and_availability(driver: V1Driver, admin: AdminClient) -> None:
    everything = await driver.offers()
    assert isinstance(everything, tuple)
    prices = {offer.hardware: offer.cents_per_hour for offer in everything}
    assert prices["2x_nvidia_h100_80gb_sxm"] == Decimal(1080)
    assert {offer.availability for offer in everything} == {None}
    admin.capacity({"2x_nvidia_h100_80gb_sxm": 0})
    offers = await driver.offers(MODEL)
    assert isinstance(offers, tuple)
    assert 0 < len(offers) <= len(everything)
    words = {offer.hardware: offer.availability for offer in offers}
    assert words["2x_nvidia_h100_80gb_sxm"] == "unavailable"
    assert await driver.offers("nobody/nothing") == ()
    await driver.offers()
    await driver.offers(MODEL)
    assert len(admin.requests("GET", "/v1/hardware")) == 3


@pytest.mark.parametrize(
    ("model", "hardware"),
    [
        ("intfloat/multilingual-e5-large-instruct", "1x_nvidia_h100_80gb_sxm"),
        ("mistralai/Mixtral-8x7B-v0.1", "2x_nvidia_h100_80gb_sxm"),
    ],
)
async def test_a_model_that_does_not_chat_answers_the_probe(
    driver: V1Driver, admin: AdminClient, model: str, hardware: str
) -> None:
    endpoint = await made(driver, model=model, hardware=hardware)
    admin.advance(1800)
    assert (await seen(driver, endpoint.id)).phase is Phase.STARTED
    assert await driver.probe(endpoint.name) == Done()
    [probe] = admin.requests("POST", "/v1/chat/completions")
    assert probe["status"] in {400, 422}
