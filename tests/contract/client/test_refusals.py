"""What Together refuses, and whether the person is told how to get on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client.conftest import DENIED, ORDER, MakeDriver
from together_local.simulator.client import AdminClient
from together_operator.drivers import V1Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Bounds, Change, Done, Refused, Unavailable


@pytest.mark.parametrize("shape", ["nested", "flat"])
@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("wrong", "reason", "advice"),
    [
        (
            {"hardware": "2x_nvidia_h100"},
            Reason.INVALID_HARDWARE,
            ["2x_nvidia_h100_80gb_sxm ($10.80/h, available)", "spec.hardware"],
        ),
        (
            {"hardware": "8x_nvidia_h100_80gb_sxm"},
            Reason.INVALID_HARDWARE,
            ["not available for this model", "4x_nvidia_h100_80gb_sxm ($21.60/h, available)"],
        ),
        (
            {"model": "mistralai/Mixtrall"},
            Reason.INVALID_MODEL,
            ["spec.model", "no hardware for dedicated endpoints of mistralai/Mixtrall"],
        ),
        (
            {"availability_zone": "moon-1a"},
            Reason.INVALID_ZONE,
            ["spec.availabilityZone", "us-central-4b", "us-east-1a"],
        ),
        ({"bounds": Bounds(3, 2)}, Reason.INVALID_REQUEST, ["max_replicas", "spec"]),
    ],
    ids=["unknown hardware", "incompatible hardware", "model", "zone", "bounds"],
)
async def test_a_refused_create_names_the_field_and_the_alternatives(
    wrong: dict[str, Any],
    reason: Reason,
    advice: list[str],
    status: int,
    shape: str,
    driver: V1Driver,
    admin: AdminClient,
) -> None:
    admin.assume(validation_status=status, error_shape=shape)
    order = replace(ORDER, **wrong)
    refused = await driver.create(order)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retryable) == (reason, False)
    explained = await driver.explain(order, refused)
    for words in advice:
        assert words in explained.message
    assert len(explained.message) <= 1000
    assert len(admin.requests("POST")) == 1
    assert admin.live() == []


async def test_v1_is_closed(driver: V1Driver, admin: AdminClient) -> None:
    done = await driver.create(ORDER)
    assert isinstance(done, Done)
    assert done.endpoint is not None
    admin.advance(600)
    admin.profile("retired")

    refused = await driver.create(ORDER)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retryable) == (Reason.V1_CLOSED, False)
    assert "Set spec.api to Auto" in refused.message

    change = Change(bounds=Bounds(2, 2))
    assert isinstance(await driver.update(done.endpoint.id, change), Done)
    assert isinstance(await driver.stop(done.endpoint.id), Done)
    admin.advance(600)
    restart = await driver.start(done.endpoint.id, ORDER)
    assert isinstance(restart, Refused)
    assert (restart.reason, restart.retryable) == (Reason.V1_CLOSED, False)
    assert await driver.delete(done.endpoint.id) == Done()
    assert len(admin.requests("POST")) == 2


async def test_a_key_that_is_denied(make_driver: MakeDriver, admin: AdminClient) -> None:
    driver = make_driver(DENIED)
    created = await driver.create(ORDER)
    assert isinstance(created, Refused)
    assert (created.reason, created.retryable) == (Reason.UNAUTHORIZED, True)
    for seen in (await driver.list(), await driver.get("endpoint-1"), await driver.probe("x")):
        assert isinstance(seen, Unavailable)
        assert seen.reason is Reason.UNAUTHORIZED
        assert "Secret" in seen.message
        assert DENIED not in seen.message
    changed = await driver.delete("endpoint-1")
    assert isinstance(changed, Refused)
    assert (changed.reason, changed.retryable) == (Reason.UNAUTHORIZED, True)
    assert DENIED not in str(admin.ledger())


async def test_no_credit(driver: V1Driver, admin: AdminClient) -> None:
    admin.assume(credit_cents=0)
    refused = await driver.create(ORDER)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retryable) == (Reason.PAYMENT_REQUIRED, True)
    assert "credits" in refused.message


@pytest.mark.parametrize("status", [400, 403, 404, 422, 429])
async def test_no_capacity(status: int, driver: V1Driver, admin: AdminClient) -> None:
    admin.assume(no_capacity="refuse", capacity_refusal_status=status)
    admin.capacity({"2x_nvidia_h100_80gb_sxm": 0})
    refused = await driver.create(ORDER)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.WAITING_FOR_CAPACITY
    assert refused.retryable
    admin.capacity({"2x_nvidia_h100_80gb_sxm": None})
    assert isinstance(await driver.create(ORDER), Done)


@pytest.mark.parametrize("answer", ["conflict", "refuse"])
async def test_an_endpoint_that_is_stopping_is_asked_again(
    answer: str, driver: V1Driver, admin: AdminClient
) -> None:
    done = await driver.create(ORDER)
    assert isinstance(done, Done)
    assert done.endpoint is not None
    admin.advance(600)
    admin.assume(patch_while_stopping=answer)
    await driver.stop(done.endpoint.id)
    refused = await driver.start(done.endpoint.id, ORDER)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.retryable) == (Reason.STARTING, True)
    admin.advance(600)
    assert isinstance(await driver.start(done.endpoint.id, ORDER), Done)


async def test_alternatives_are_read_once_for_all(driver: V1Driver, admin: AdminClient) -> None:
    order = replace(ORDER, hardware="2x_nvidia_h100")
    for _ in range(3):
        refused = await driver.create(order)
        assert isinstance(refused, Refused)
        await driver.explain(order, refused)
    assert len(admin.requests("GET", "/v1/hardware")) == 1
