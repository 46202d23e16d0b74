"""The census: every way in which a resource speaks for an endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controller.fake_kube import SPEC
from together_operator.controller.census import Census
from together_operator.controller.keys import Copy
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import owner_tag
from together_operator.core.orphans import Attempt, Claims
from together_operator.resource import names

NOW = 1_800_000_000.0


def counted(*copies: Copy, everywhere: bool = True, **body: Any) -> Claims:
    census = Census(0.0, everywhere)
    annotations = body.pop("annotations", {})
    metadata = {"namespace": "ml", "name": "one", "uid": "uid-1", "annotations": annotations}
    census.count({"metadata": metadata, "spec": SPEC, **body})
    return census.claims(copies, {"left"}, NOW)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"status": {"endpointID": "e1"}}, id="on record"),
        pytest.param({"status": {"operation": {"removing": ["e0", "e1"]}}}, id="being removed"),
    ],
)
def test_a_resource_speaks_for_an_endpoint_on_its_record(body: dict[str, Any]) -> None:
    claims = counted(**body)
    assert "e1" in claims.endpoints
    assert "e1" not in claims.wanted


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"spec": {**SPEC, "adopt": {"endpointID": "e1"}}}, id="to be adopted"),
        pytest.param({"annotations": {names.CLAIM: "e1"}}, id="claimed by a person"),
    ],
)
def test_who_asks_for_an_endpoint_does_not_speak_for_it_yet(body: dict[str, Any]) -> None:
    claims = counted(**body)
    assert "e1" not in claims.endpoints
    assert "e1" in claims.wanted
    had = counted(**{**body, "status": {"endpointID": "e1"}})
    assert "e1" in had.endpoints


@pytest.mark.parametrize(
    ("body", "uid"),
    [
        pytest.param({}, "uid-1", id="its own"),
        pytest.param({"annotations": {names.OWNER_UID: "uid-0"}}, "uid-0", id="a copy's, by note"),
        pytest.param(
            {"status": {"operation": {"uid": "uid-0"}}}, "uid-0", id="a copy's, by record"
        ),
    ],
)
def test_a_resource_speaks_for_the_marks_of(body: dict[str, Any], uid: str) -> None:
    assert owner_tag(uid) in counted(**body).owners


def test_nothing_else_is_spoken_for() -> None:
    claims = counted()
    assert owner_tag("uid-2") not in claims.owners
    assert "e1" not in claims.endpoints
    assert claims.attempts == ()


@pytest.mark.parametrize("operation", [{"phase": "Open"}, {"phase": "Done", "open": ["aaaa"]}])
def test_an_unsettled_order_excuses_what_it_may_have_made(operation: dict[str, Any]) -> None:
    dated = {**operation, "date": "2027-01-15T08:00:00Z"}
    [attempt] = counted(status={"operation": dated}).attempts
    assert attempt == Attempt(NOW, "acme/model", "1x_gpu")
    assert counted(status={"operation": dated, "endpointID": "e1"}).attempts == ()
    [undated] = counted(status={"operation": operation}).attempts
    assert undated.since == float("-inf")


def test_the_hardware_of_an_order_is_spelled_as_endpoints_spell_it() -> None:
    spec = {**SPEC, "hardware": "2xnvidia-h100-80gb"}
    [attempt] = counted(spec=spec, status={"operation": {"phase": "Open"}}).attempts
    assert attempt.hardware == "2x_nvidia_h100_80gb_sxm"


def test_a_key_copy_that_nobody_has_swept_yet_is_no_owner() -> None:
    assert owner_tag("uid-7") not in counted(Copy("uid-7", "ml", None)).owners


def test_a_tombstone_speaks_for_its_attempts_until_it_expires() -> None:
    def grave(expires: float) -> Copy:
        stone = Tombstone("abcdef", owner_tag("uid-7"), ("late",), expires)
        return Copy("uid-7", "ml", None, stone)

    claims = counted(grave(NOW + 1))
    assert (owner_tag("uid-7"), "late") in claims.graves
    assert owner_tag("uid-7") not in claims.owners
    assert (owner_tag("uid-7"), "late") not in counted(grave(NOW - 1)).graves


def test_it_knows_where_it_looked_and_what_was_left() -> None:
    assert counted().everywhere
    assert not counted(everywhere=False).everywhere
    assert "left" in counted().released
