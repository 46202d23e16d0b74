"""Traffic within an endpoint that a person uses as well.

Only what bears the mark of the resource is the resource's. What a person has put beside it, and
how much of the traffic it has, is kept by every write, and keeps the endpoint from being deleted.
"""

from __future__ import annotations

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, eventually
from tests.support.team_v2 import JudgeV2, TeamV2, manifest_v2


def with_another(team: TeamV2, weight: float = 50) -> tuple[Object, str, str]:
    """A resource that serves, its deployment, and a person's beside it."""
    team.apply(manifest_v2())
    found = team.until("mixtral", "Serving")
    mine = team.deployment()["id"]
    return found, mine, team.beside(weight=weight)


def entry(team: TeamV2, deployment_id: str) -> Object:
    """A deployment in the ledger."""
    return next(one for one in team.endpoints() if one["id"] == deployment_id)


def test_a_persons_deployment_is_left_alone_for_as_long_as_ours_lives(team: TeamV2) -> None:
    _, mine, theirs = with_another(team)
    team.polled(3)
    assert team.reason() == "Serving"
    assert team.split() == {mine: 100, theirs: 50}

    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.awaits("mixtral", "scaled", lambda it: it["status"].get("readyReplicas") == 2)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert theirs in team.split()
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert team.split() == {mine: 100, theirs: 50}
    assert entry(team, theirs)["autoscaling"] == {"min_replicas": 1, "max_replicas": 1}
    assert [r for r in team.requests() if r["method"] != "GET" and theirs in r["path"]] == []
    shown = team.status()["deployments"]
    assert [one["id"] for one in shown] == [mine], "the status tells of our own"


def test_a_weight_that_a_person_gave_ours_is_kept(team: TeamV2) -> None:
    _, mine, theirs = with_another(team)
    team.route({mine: 10, theirs: 90})
    team.polled(3)
    assert team.split() == {mine: 10, theirs: 90}
    weight = team.awaits(
        "mixtral", "shown", lambda it: it["status"]["deployments"][0]["weight"] == "10"
    )
    assert conditions(weight)["Ready"]["reason"] == "Serving"


def test_our_entry_is_put_back_beside_a_persons(team: TeamV2) -> None:
    _, mine, theirs = with_another(team)
    team.route({theirs: 70})
    eventually("ours is back", lambda: mine in team.split(), within=20)
    assert team.split() == {mine: 70, theirs: 70}
    team.until("mixtral", "Serving")
    assert team.split()[theirs] == 70


def test_a_split_that_was_emptied_is_put_right(team: TeamV2) -> None:
    team.apply(manifest_v2())
    found = team.until("mixtral", "Serving")
    mine = JudgeV2.of(team).one(found)["id"]
    team.route({})
    eventually("ours is back", lambda: team.split() == {mine: 100}, within=20)
    team.until("mixtral", "Serving")


def test_a_deletion_with_a_persons_deployment_inside(team: TeamV2) -> None:
    found, mine, theirs = with_another(team)
    home = found["status"]["endpointID"]
    team.delete()
    blocked = team.until("mixtral", "DeletionBlocked")
    assert_row(
        blocked, "DeletionBlocked",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.DELETION_BLOCKED, blocked)
    message = conditions(blocked)["Stalled"]["message"]
    assert theirs in message
    assert "by-hand" in message
    assert "together-operator.io/release" in message
    assert home in message
    # Ours is gone and is not paid for while a person decides.
    assert entry(team, mine)["deleted_at"] is not None
    assert team.split() == {theirs: 50}
    team.polled(3)
    assert team.read() is not None
    assert [one["id"] for one in team.live()] == [theirs]

    # A person removes theirs, and nobody has to say so.
    team.route({})
    team.together.delete(theirs)
    team.gone()
    team.until_homeless()


def test_a_deletion_that_is_let_go_of_leaves_what_is_a_persons(team: TeamV2) -> None:
    found, mine, theirs = with_another(team)
    team.delete()
    team.until("mixtral", "DeletionBlocked")
    team.annotate("mixtral", "release", found["status"]["endpointID"])
    team.gone()
    assert team.home()["id"] == found["status"]["endpointID"]
    assert [one["id"] for one in team.live()] == [theirs]
    assert team.split() == {theirs: 50}
    assert entry(team, mine)["deleted_at"] is not None


def test_a_persons_deployment_outside_the_traffic_keeps_the_endpoint(team: TeamV2) -> None:
    team.apply(manifest_v2(state="Stopped"))
    team.until("mixtral", "Stopped")
    theirs = team.beside(weight=None)
    team.delete()
    team.until("mixtral", "DeletionBlocked")
    assert [one["id"] for one in team.live()] == [theirs]
    team.together.delete(theirs)
    team.gone()
    team.until_homeless()


def test_only_ours_in_the_console_is_removed(team: TeamV2) -> None:
    """A person deletes our deployment and keeps theirs: that is reported, and theirs goes on."""
    _, mine, theirs = with_another(team)
    team.route({theirs: 50})
    team.together.delete(mine)
    missing = team.until("mixtral", "RemoteMissing")
    assert mine in conditions(missing)["Stalled"]["message"]
    assert team.split() == {theirs: 50}
    assert [one["id"] for one in team.live()] == [theirs]
