"""What resources have to know of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.controller.fake_kube import FakeKube
from together_operator.controller.account import Place
from together_operator.controller.entry import Entry
from together_operator.controller.queue import Key
from together_operator.controller.roster import Roster, better
from together_operator.core.marker import Marker
from together_operator.core.scan import Trait
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.spec import Api


def entry(kube: FakeKube, name: str, endpoint_id: str | None = None, **status: Any) -> Entry:
    """A resource with an endpoint on record."""
    key = kube.apply(name)
    body = kube.endpoints[key]
    uid = body["metadata"]["uid"]
    if endpoint_id is not None:
        body["status"] = {
            "endpointID": endpoint_id,
            "displayName": Marker.of("cluster", uid, "aaaa").write(name),
            "operation": {
                "phase": "Done",
                "uid": uid,
                "cluster": "cluster",
                "credential": "key-a",
                "nonce": "aaaa",
                "date": "2027-01-15T08:00:00Z",
            },
            **status,
        }
    return Entry.of(TogetherEndpoint.parse(body), None)


def conditions(**states: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": "",
            "observedGeneration": 1,
            "lastTransitionTime": "2027-01-15T08:00:00Z",
        }
        for kind, (status, reason) in states.items()
    ]


def test_what_was_put_is_found_and_what_was_removed_leaves_nothing() -> None:
    kube, roster = FakeKube(), Roster()
    one = entry(kube, "one", "e1")
    roster.put(one)
    assert roster.get(Key("ml", "one")) == one
    assert [each.uid for each in roster.of("key-a", Api.V1)] == [one.uid]
    assert list(roster.recorded()) == ["e1"]
    assert roster.remove(one.key) == one
    assert roster.remove(one.key) is None
    for index in (
        roster._by_key, roster._by_owner, roster._by_endpoint, roster._by_place, roster._leaving
    ):  # fmt: skip
        assert not index
    assert not roster._moving
    assert not roster._unmarked


def test_a_resource_made_anew_under_the_same_name_takes_the_place_of_the_former() -> None:
    kube, roster = FakeKube(), Roster()
    former = entry(kube, "one", "e1")
    roster.put(former)
    kube.endpoints.clear()
    roster.put(entry(kube, "one"))
    assert len(roster) == 1
    assert list(roster.recorded()) == []
    assert roster.holders("e1") == []


def test_an_endpoint_is_taken_by_others_and_never_by_oneself() -> None:
    kube, roster = FakeKube(), Roster()
    one, two = entry(kube, "one", "e1"), entry(kube, "two", "e2")
    taken = roster.taken(one.uid)
    roster.put(one)
    roster.put(two)
    assert "e1" not in taken
    assert "e2" in taken
    assert "e3" not in taken
    assert list(taken) == ["e2"]
    assert len(taken) == 1


def test_of_two_who_have_one_endpoint_the_mark_decides_and_then_the_age() -> None:
    kube, roster = FakeKube(), Roster()
    one = entry(kube, "one", "e1")
    thief = entry(kube, "thief", "e1", displayName="no mark")
    roster.put(one)
    roster.put(thief)
    first = TogetherEndpoint.parse(kube.endpoints[one.key])
    second = TogetherEndpoint.parse(kube.endpoints[thief.key])
    assert better(first, roster.rivals(first, "e1"), None) is None
    rival = better(second, roster.rivals(second, "e1"), None)
    assert rival is not None
    assert rival.key == one.key


def test_what_together_tells_of_the_mark_comes_before_what_a_status_says_of_it() -> None:
    kube, roster = FakeKube(), Roster()
    thief = entry(kube, "thief", "e1")
    one = entry(kube, "one", "e1", displayName="whatever")
    roster.put(one)
    roster.put(thief)
    resource = TogetherEndpoint.parse(kube.endpoints[one.key])
    rivals = roster.rivals(resource, "e1")
    assert better(resource, rivals, None) == thief
    trait = Trait(Marker.of("cluster", one.uid, "aaaa"), "acme/model", "1x_gpu")
    assert better(resource, rivals, trait) is None


def test_a_resource_is_found_in_its_own_generation_alone() -> None:
    kube, roster = FakeKube(), Roster()
    one, two = entry(kube, "one", "e1"), entry(kube, "two", "ep_2", api="V2")
    for each in (one, two):
        roster.put(each)
    assert roster.of("key-a", Api.V1) == [one]
    assert roster.of("key-a", Api.V2) == [two]
    assert roster.places() == {Place("key-a", Api.V1), Place("key-a", Api.V2)}
    roster.remove(two.key)
    assert not roster.uses("key-a", Api.V2)
    assert roster.uses("key-a", Api.V1)


def test_motion_in_one_generation_is_none_in_the_other() -> None:
    kube, roster = FakeKube(), Roster()
    still = conditions(Reconciling=("False", "Serving"))
    roster.put(entry(kube, "one", "e1", conditions=still))
    roster.put(entry(kube, "two", "ep_2", api="V2"))
    assert roster.in_motion("key-a", Api.V2)
    assert not roster.in_motion("key-a", Api.V1)


def test_names_that_come_back_without_a_mark_matter_in_their_own_generation() -> None:
    kube, roster = FakeKube(), Roster()
    one = entry(kube, "one", "e1")
    roster.put(replace(one, markers_lost=True))
    assert roster.markers_lost(("key-a", None), Api.V1)
    assert not roster.markers_lost(("key-a", None), Api.V2)
    assert not roster.markers_lost(("key-b",), Api.V1)


def test_what_may_come_to_life_in_v1_keeps_v1_in_use_and_is_not_at_home_there() -> None:
    kube, roster = FakeKube(), Roster()
    two = entry(kube, "two", "ep_2", api="V2")
    operation = {**kube.endpoints[two.key]["status"]["operation"], "open": ["late"]}
    kube.endpoints[two.key]["status"]["operation"] = operation
    moved = Entry.of(TogetherEndpoint.parse(kube.endpoints[two.key]), None)
    roster.put(moved)
    assert roster.uses("key-a", Api.V1)
    assert Place("key-a", Api.V1) in roster.places()
    assert roster.of("key-a", Api.V1) == []
    assert roster.leaving("key-a") == [moved]
    roster.put(two)
    assert roster.leaving("key-a") == []
    assert not roster.uses("key-a", Api.V1)
    # In v1 itself it is the resource's own to see to.
    assert entry(kube, "one", "e1", operation=operation | {"uid": "uid-1"}).open_v1 == ()


def test_a_status_that_is_anothers_names_no_generation() -> None:
    kube = FakeKube()
    two = entry(kube, "two", "ep_2", api="V2")
    body = kube.endpoints[two.key]
    body["metadata"]["uid"] = "another"
    assert Entry.of(TogetherEndpoint.parse(body), None).api is Api.V1
    assert Entry.of(TogetherEndpoint.parse(body), None, Api.V2).api is Api.V2
