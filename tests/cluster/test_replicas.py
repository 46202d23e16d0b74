"""Several operators for the same resources: one works, another takes over, nothing is done twice.

What each replica sends passes through a proxy of its own, so that one can be frozen between what
it was told and what it does about it, as a paused virtual machine or a starved node would be, and
woken when another one has long taken over. Judged by the Lease and by Together's books.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.chaos.boundary import Side
from tests.chaos.proxy import Answer, Exchange
from tests.support.judge import Judge
from tests.support.moments import last_question, reads, recorded
from tests.support.operator import Object, OperatorProcess, eventually, manifest
from tests.support.replicas import Fleet, Replica, fleet_of
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(600)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}
ROUNDS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest,
    control_plane: Cluster,
    helm_binary: Path,
    crd: str,
    folder: Path,
) -> Iterator[OperatorProcess]:
    """A place for operators, in which none was started."""
    tests = [item for item in request.session.items if item.path == request.node.path]
    teams = sum("team" in getattr(item, "fixturenames", ()) for item in tests)
    with running_operator(
        control_plane, helm_binary, folder, spaces=teams, secret=False, start=False
    ) as place:
        yield place


@pytest.fixture
def fleet(operator: OperatorProcess, folder: Path, team: Team) -> Iterator[Fleet]:
    with fleet_of(operator, folder) as fleet:
        try:
            yield fleet
        finally:
            for replica in fleet.all:
                replica.end()
            fleet.explain()
            team.abandon()


@pytest.fixture
def pair(fleet: Fleet) -> tuple[Replica, Replica]:
    """One that leads and one that stands by."""
    first, second = fleet.replica(), fleet.replica()
    first.start()
    fleet.until_leads(first)
    second.start()
    second.kept = True
    return first, second


def seconds(stamp: str) -> float:
    """A time of the Lease, in unix seconds."""
    return datetime.fromisoformat(stamp).timestamp()


def test_the_second_takes_over_when_the_first_fails_and_at_once_when_it_ends(
    fleet: Fleet, team: Team
) -> None:
    """With the times of production."""
    first, second = fleet.replica(), fleet.replica()
    first.start("--time-scale", "1")
    fleet.until_leads(first)
    second.start("--time-scale", "1")
    for replica, leading in ((first, 1.0), (second, 0.0)):
        assert replica.asked("health", "/healthz") is not None
        assert replica.asked("health", "/readyz") is not None
        assert replica.leading == leading
    assert f"Standing by: {first.identity} leads" in second.log()

    team.apply(manifest())
    team.until("mixtral", "Serving")
    judge = Judge.of(fleet.operator, team)
    assert [one.path for one in second.sent if one.side is Side.TOGETHER] == []
    assert [one.path for one in second.sent if "togetherendpoints" in one.path] == []

    first.kill()
    last = fleet.lease()
    assert last["leaseDurationSeconds"] == 15
    taken = fleet.until_leads(second)
    waited = seconds(taken["acquireTime"]) - seconds(last["renewTime"])
    assert 14 < waited <= 20, "neither before the Lease has expired, nor long after"
    assert taken["leaseTransitions"] == last["leaseTransitions"] + 1
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    team.until("mixtral", "Serving")
    made = judge.one(team.status()["endpointID"])
    assert made["autoscaling"]["min_replicas"] == 2

    first.start("--time-scale", "1")
    assert first.leading == 0
    before = fleet.lease()
    second.terminate()
    assert second.ended() == 0
    again = fleet.until_leads(first)
    handed_over = seconds(again["acquireTime"]) - seconds(before["renewTime"])
    assert handed_over < 14, "it was given back, and did not expire"
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    judge.one(made["id"])
    assert len(judge.posts()) == 1


def test_frozen_between_record_and_order_and_woken_after_another_leads(
    fleet: Fleet, pair: tuple[Replica, Replica], team: Team
) -> None:
    first, second = pair
    first.freeze_at(recorded)
    team.apply(manifest())
    judge = Judge.of(fleet.operator, team)
    first.until_frozen()
    fleet.until_leads(second)
    team.awaits("mixtral", "the second settles it", lambda it: "Claiming" in str(it["status"]))
    assert judge.posts() == []
    first.wake()
    assert first.ended() != 0
    assert "The operator ends: The Lease" in first.log()
    found = team.until("mixtral", "Serving", within=120)
    judge.one(found["status"]["endpointID"])
    assert len(judge.posts()) == 1
    assert first.changes() == []


def test_the_same_without_a_lease(fleet: Fleet, team: Team) -> None:
    """What protects a create is the age of its record: both work here at the same time."""
    replicas = fleet.replica(), fleet.replica()
    for replica in replicas:
        replica.start("--no-leader-elect")
        replica.freeze_at(recorded)
    team.apply(manifest())
    judge = Judge.of(fleet.operator, team)
    eventually("one has written the record", lambda: any(r.frozen.is_set() for r in replicas))
    first, second = sorted(replicas, key=lambda replica: not replica.frozen.is_set())
    second.freeze_at(lambda *_: False)
    team.awaits("mixtral", "the second settles it", lambda it: "Claiming" in str(it["status"]))
    first.wake()
    found = team.until("mixtral", "Serving", within=120)
    judge.one(found["status"]["endpointID"])
    assert len(judge.posts()) == 1


def test_frozen_with_an_order_under_way(
    fleet: Fleet, pair: tuple[Replica, Replica], team: Team
) -> None:
    """The endpoint is made, and the one who ordered it never learns of it in time."""
    first, second = pair

    def ordered(exchange: Exchange, answer: Answer) -> bool:
        return (exchange.method, exchange.path) == ("POST", "/v1/endpoints")

    first.freeze_at(ordered)
    team.apply(manifest())
    judge = Judge.of(fleet.operator, team)
    first.until_frozen()
    fleet.until_leads(second)
    first.wake()
    found = team.until("mixtral", "Serving", within=120)
    assert first.ended() != 0
    judge.one(found["status"]["endpointID"])
    assert len(judge.posts()) == 1
    assert [one.method for one in first.changes()] == ["POST"]


def test_frozen_with_a_change_in_hand(
    fleet: Fleet, pair: tuple[Replica, Replica], team: Team
) -> None:
    """What it was about to send would undo what has been asked for since."""
    first, second = pair
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    judge = Judge.of(fleet.operator, team)
    first.freeze_at(reads(lambda it: it["spec"]["autoscaling"]["minReplicas"] == 2))
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    first.until_frozen()
    fleet.until_leads(second)
    team.until_remote("the second scales it", autoscaling={"min_replicas": 2, "max_replicas": 2})
    team.spec("mixtral", autoscaling={"minReplicas": 3})
    team.until_remote("and again", autoscaling={"min_replicas": 3, "max_replicas": 3})
    team.until("mixtral", "Serving")
    woken = time.time()
    first.wake()
    assert first.ended() != 0
    assert "is lost" in first.log()
    assert first.changes(since=woken) == []
    bounds = [body["autoscaling"]["min_replicas"] for body in team.patches()]
    assert bounds == [2, 3]
    judge.one(found["status"]["endpointID"])


def test_frozen_with_a_deletion_in_hand(
    fleet: Fleet, pair: tuple[Replica, Replica], team: Team
) -> None:
    first, second = pair
    team.apply(manifest())
    team.until("mixtral", "Serving")
    judge = Judge.of(fleet.operator, team)
    first.freeze_at(last_question())
    # Frozen as well, so that there still is something that the first could delete.
    second.freeze_at(last_question())
    team.delete()
    first.until_frozen()
    second.until_frozen()
    assert second.identity == fleet.lease()["holderIdentity"]
    first.wake()
    assert first.ended() != 0
    assert team.requests("DELETE") == []
    assert len(team.live()) == 1
    second.wake()
    team.gone(within=120)
    judge.none()
    assert len(team.requests("DELETE")) == 1


def test_both_started_at_once_again_and_again(fleet: Fleet, team: Team) -> None:
    """Each time there is something to make, to change and to remove, and it is done once."""
    replicas = fleet.replica(), fleet.replica()
    for number in range(ROUNDS):
        team.apply(manifest(f"round-{number}"))
        if number >= 1:
            team.spec(f"round-{number - 1}", autoscaling={"minReplicas": 2})
        if number >= 2:
            team.delete(f"round-{number - 2}")
        for replica in replicas:
            replica.launch()
            replica.kept = True
        team.until(f"round-{number}", "Serving", within=120)
        if number >= 1:
            team.until(f"round-{number - 1}", "Serving", within=120)
        if number >= 2:
            team.gone(f"round-{number - 2}", within=120)
        for replica in replicas:
            replica.terminate()
        for replica in replicas:
            replica.ended_well()
    assert len(team.posts()) == ROUNDS
    assert len(team.patches()) == ROUNDS - 1
    assert len(team.requests("DELETE")) == ROUNDS - 2
    assert len(team.live()) == 2


def own_role(operator: OperatorProcess) -> Object:
    """The Role in the operator's own namespace."""
    text = operator.cluster.kubectl("-n", operator.namespace, "get", "roles", "-o", "json").stdout
    found: Object
    (found,) = json.loads(text)["items"]
    for field in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
        found["metadata"].pop(field, None)
    return found


@pytest.mark.parametrize("verb", ["create", "get", "update"])
def test_without_a_right_to_the_lease_it_refuses_to_run(
    fleet: Fleet, team: Team, verb: str
) -> None:
    operator = fleet.operator
    role = own_role(operator)
    less = json.loads(json.dumps(role))
    for rule in less["rules"]:
        if "leases" in rule["resources"]:
            rule["verbs"] = [one for one in rule["verbs"] if one != verb]
    less["rules"] = [rule for rule in less["rules"] if rule["verbs"]]
    if verb == "update":
        # It would only stand by for now, and says so all the same.
        first = fleet.replica()
        first.start()
        fleet.until_leads(first)
    operator.cluster.kubectl("apply", "-f", "-", input=json.dumps(less))
    try:
        refused = fleet.replica()
        refused.launch()
        assert refused.ended() == 1
    finally:
        operator.cluster.kubectl("apply", "-f", "-", input=json.dumps(role))
    said = refused.log()
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith("The operator cannot run: No leader can be elected"), last
    assert f"may not {verb} the Lease {operator.namespace}/together-operator" in last
    assert f"resources [leases]{'' if verb == 'create' else ', resourceNames'}" in last
    assert f"verbs [{verb}]" in last


def test_an_api_server_that_has_just_started_and_knows_no_rights_yet(
    fleet: Fleet, team: Team
) -> None:
    """It refuses everything once: to one that leads at once, and to one that stands by first."""
    replicas = fleet.replica(), fleet.replica()
    needed = {
        ("GET", "together-operator-identity"),
        ("GET", "together-operator"),
        ("PUT", "together-operator"),  # the right to write the Lease is tried as well
    }
    for replica in replicas:
        replica.refused = set()
        replica.kept = True
        replica.start()
        asked = {(method, path.rpartition("/")[2]) for method, path in replica.refused}
        assert needed <= asked
    # It is started anew while one of them waits.
    leader = fleet.until_any_leads()
    (standby,) = {*replicas} - {leader}
    standby.refused = set()
    eventually("it is refused again", lambda: standby.refused)
    leader.kept = False
    leader.kill()
    fleet.until_leads(standby)
    standby.until_ready()
    team.apply(manifest())
    team.until("mixtral", "Serving")
    for replica in replicas:
        assert all("is lost" in log for log in replica.endings), replica.endings


@pytest.mark.parametrize("before", ["--leader-elect", "--no-leader-elect"])
def test_an_upgrade_in_the_middle_of_everything(fleet: Fleet, team: Team, before: str) -> None:
    """A rolling update starts the new one, and tells the old one to end when that is ready.

    The version before this one knew no Lease: then both work for a while.
    """
    old, new = fleet.replica(), fleet.replica()
    old.start(before)
    for name in ("scaled", "stopped", "deleted"):
        team.apply(manifest(name))
    judges = {}
    for name in ("scaled", "stopped", "deleted"):
        team.until(name, "Serving")
        judges[name] = Judge.of(fleet.operator, team, name)
    team.together.arm({**POST, "fault": "delay", "seconds": 1.5})
    team.apply(manifest("ordered"))
    judges["ordered"] = Judge.of(fleet.operator, team, "ordered")
    new.launch()
    judges["ordered"].until_posted()
    team.spec("scaled", autoscaling={"minReplicas": 2, "maxReplicas": 4})
    team.spec("stopped", state="Stopped")
    team.delete("deleted")
    new.until_ready()
    new.kept = True
    old.terminate()
    old.ended_well()
    fleet.until_leads(new)
    team.spec("scaled", autoscaling={"minReplicas": 3, "maxReplicas": 4})

    for name in ("ordered", "scaled"):
        found = team.until(name, "Serving", within=120)
        judges[name].one(found["status"]["endpointID"])
        assert len(judges[name].posts()) == 1
    scaled = judges["scaled"].live()[0]
    assert scaled["autoscaling"] == {"min_replicas": 3, "max_replicas": 4}
    team.until("stopped", "Stopped", within=120)
    assert judges["stopped"].live()[0]["state"] == "STOPPED"
    team.gone("deleted", within=120)
    judges["deleted"].none()
    assert len(team.live()) == 3
