"""Which generation carries a resource, where the account's v1 is closed and where it is not.

`api: Auto` has to end in the generation that the account has, without a dead end told on the way,
and whatever happens there is never an endpoint in each.
"""

from __future__ import annotations

from tests.support.contract import assert_row, conditions
from tests.support.operator import eventually, manifest
from tests.support.team_v2 import JudgeV2, TeamV2


def stalled(team: TeamV2, name: str = "mixtral") -> list[str]:
    """The reasons for which a person was ever told to act."""
    told = (conditions(version).get("Stalled") for version in team.history(name))
    return [found["reason"] for found in told if found is not None and found["status"] == "True"]


def refused_orders(team: TeamV2) -> list[int]:
    """The answers to the team's orders of v1."""
    return [request["status"] for request in team.of_v1("POST")]


def test_an_account_whose_v1_is_closed(team: TeamV2) -> None:
    team.together.profile("retired")
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V2"
    assert found["spec"]["api"] == "Auto"
    assert stalled(team) == []
    assert refused_orders(team) == [403]
    JudgeV2.of(team).one(found)
    assert "v1" in team.until_told("MovedToV2").lower()

    # What is known of the key is known for the next one.
    team.apply(manifest("second"))
    second = team.until("second", "Serving")
    assert second["status"]["api"] == "V2"
    assert refused_orders(team) == [403]
    assert stalled(team, "second") == []

    # A process that remembers nothing does not ask again for what is on record.
    team.operator.stop()
    team.operator.start()
    team.apply(manifest("third"))
    third = team.until("third", "Serving")
    assert third["status"]["api"] == "V2"
    assert stalled(team, "third") == []
    assert len(refused_orders(team)) <= 2
    team.delete("second")
    team.gone("second")
    assert len(team.homes()) == 2


def test_several_at_once_on_a_closed_account(team: TeamV2) -> None:
    team.together.profile("retired")
    names = [f"at-once-{number}" for number in range(4)]
    items = [manifest(name) for name in names]
    team.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": items})
    for name in names:
        assert team.until(name, "Serving")["status"]["api"] == "V2"
        assert stalled(team, name) == []
    assert set(refused_orders(team)) == {403}
    assert len(team.homes()) == len(team.live()) == 4


def test_an_open_account_stays_with_v1(team: TeamV2) -> None:
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V1"
    assert team.homes() == []
    # It closes later: what is there stays where it is.
    team.together.profile("retired")
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    again = team.until("mixtral", "Serving")
    assert again["status"]["endpointID"] == found["status"]["endpointID"]
    team.operator.stop()
    team.operator.start()
    team.delete()
    team.gone()
    assert team.live() == []
    assert team.posts() == []


def test_v1_may_be_a_requirement(team: TeamV2) -> None:
    team.together.profile("retired")
    team.apply(manifest(api="V1"))
    refused = team.until("mixtral", "V1Closed")
    assert_row(
        refused, "V1Closed",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    message = conditions(refused)["Stalled"]["message"]
    assert "spec.api" in message
    assert "V2" in message
    assert team.posts() == []
    # The advice can be followed in place.
    team.spec("mixtral", api="V2")
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V2"
    JudgeV2.of(team).one(found)


def test_a_v1_order_without_an_answer_is_settled_before_anything_moves(team: TeamV2) -> None:
    """It took effect, and nobody heard of it: the endpoint of v1 is what the resource has."""
    team.together.arm(
        {"fault": "reset_after", "method": "POST", "path_regex": "^/v1/endpoints$"},
        {"fault": "hide_in_list", "method": "GET", "seconds": 3, "times": -1},
    )
    team.apply(manifest())
    team.until("mixtral", "Claiming")
    team.together.profile("retired")
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V1"
    assert team.posts() == []
    assert len(team.live()) == 1


def test_a_v1_order_that_had_no_effect_is_settled_and_then_v2_has_it(team: TeamV2) -> None:
    team.together.arm({"fault": "reset_before", "method": "POST", "path_regex": "^/v1/endpoints$"})
    team.apply(manifest())
    team.until("mixtral", "Claiming")
    team.together.profile("retired")
    beside = manifest("beside")  # by which the key is known to be closed meanwhile
    team.apply(beside)
    assert team.until("beside", "Serving")["status"]["api"] == "V2"
    found = team.until("mixtral", "Serving", within=90)
    assert found["status"]["api"] == "V2"
    assert stalled(team) == []
    JudgeV2.of(team).one(found)
    assert [entry["generation"] for entry in team.live()] == ["v2", "v2"]


def test_a_v1_order_that_takes_effect_late(team: TeamV2) -> None:
    team.together.arm(
        {
            "fault": "late_effect",
            "method": "POST",
            "path_regex": "^/v1/endpoints$",
            "seconds": 2,
        }
    )
    team.apply(manifest())
    team.until("mixtral", "Claiming")
    eventually("it took effect", team.live, within=20)
    team.together.profile("retired")
    found = team.until("mixtral", "Serving", within=90)
    assert found["status"]["api"] == "V1"
    assert team.posts() == []
    (made,) = team.live()
    assert made["generation"] == "v1"
    team.delete()
    team.gone()
    assert team.live() == []
