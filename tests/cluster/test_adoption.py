"""`spec.adopt`: an endpoint that is there already becomes a resource's, and nothing is ordered.

Judged by the ledger: which requests changed something at Together, in which order, and that what
belongs to somebody else got none.
"""

from __future__ import annotations

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.judge import Judge
from tests.support.operator import HARDWARE, MODEL, Object, OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_operator.core.marker import Marker

pytestmark = pytest.mark.timeout(300)

CONSOLE = "Made in the console"


def made_by_hand(team: Team, **different: object) -> str:
    """A person makes an endpoint in the console, and it runs; its id."""
    bounds = {"min_replicas": 2, "max_replicas": 4}
    body = {"model": MODEL, "hardware": HARDWARE, "autoscaling": bounds, "display_name": CONSOLE}
    made = str(team.together.create({**body, "project": team.name, **different})["id"])
    eventually("it runs", lambda: by_id(team, made)["state"] == "STARTED", within=60)
    return made


def by_id(team: Team, endpoint_id: str) -> Object:
    """An endpoint by the ledger."""
    (found,) = [e for e in team.endpoints() if e["id"] == endpoint_id]
    return found


def adopting(endpoint_id: str, name: str = "mixtral", **spec: object) -> Object:
    """A manifest that takes over an endpoint."""
    return manifest(name, adopt={"endpointID": endpoint_id}, **spec)


def message(found: Object) -> str:
    """What a person reads."""
    return str(conditions(found)["Ready"]["message"])


def writes(team: Team, endpoint_id: str) -> list[Object]:
    """The changes and deletions of an endpoint that were asked for over the API."""
    return Judge(team.operator, "nobody").touched(endpoint_id)


def test_looked_at_first_then_taken_over_then_let_go(team: Team) -> None:
    made = made_by_hand(team)
    team.apply(adopting(made, suspend=True))
    shown = team.until("mixtral", "Suspended")
    assert f"Scaling {made} from 2-4 to 1-1 replicas; Renaming {made}" in message(shown)
    assert shown["status"]["endpointID"] == made
    assert shown["status"]["adopted"] is True
    expect_health(Situation.SUSPENDED_CHANGING, shown)
    assert writes(team, made) == []

    wanted = {"minReplicas": 2, "maxReplicas": 4}
    team.spec("mixtral", suspend=False, autoscaling=wanted, displayName="Chat")
    serving = team.until("mixtral", "Serving")
    assert_row(
        serving, "Serving",
        ready=True, available=True, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    judge = Judge.of(team.operator, team)
    now = by_id(team, made)
    assert judge.marks(now)
    assert now["display_name"].startswith("Chat tep-")
    # The mark first, and by itself; then what Together does not tell, and nothing that is so.
    assert [set(body) for body in team.patches()] == [{"display_name"}, {"inactive_timeout"}]
    assert team.posts() == []
    assert made in team.until_told("EndpointAdopted")
    assert team.columns("-o", "wide")["ENDPOINT"] == made

    before = (len(team.patches()), team.history()[-1])
    team.polled(3)
    assert (len(team.patches()), team.history()[-1]) == before
    team.delete()
    team.gone()
    assert by_id(team, made)["deleted_at"] is None
    assert by_id(team, made)["state"] == "STARTED"
    assert len(team.patches()) == 2


def test_refused_with_the_differences_until_they_are_put_right(team: Team) -> None:
    made = made_by_hand(team)
    team.apply(
        adopting(
            made, model="mistralai/Mistral-7B-Instruct-v0.3", hardware="1x_nvidia_h100_80gb_sxm"
        )
    )
    refused = team.until("mixtral", "AdoptionRefused")
    assert_row(
        refused, "AdoptionRefused",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.QUESTION, refused)
    for words in (MODEL, HARDWARE, "spec.model", "spec.hardware", "nothing was changed"):
        assert words in message(refused)
    assert refused["metadata"].get("finalizers") is None
    assert team.patches() == []

    # A key of another project does not show it.
    team.operator.simulator.admin.keys(projects={f"{team.key}-2": f"{team.name}-2"})
    team.secret(f"{team.key}-2", "elsewhere")
    team.spec("mixtral", model=MODEL, hardware=HARDWARE, apiKeySecretRef={"name": "elsewhere"})
    unseen = team.awaits(
        "mixtral", "not shown", lambda it: "no dedicated endpoint of this id" in message(it)
    )
    assert conditions(unseen)["Ready"]["reason"] == "AdoptionRefused"

    team.spec("mixtral", apiKeySecretRef={"name": "together"})
    team.until("mixtral", "Serving")
    assert team.posts() == []
    assert team.requests("DELETE") == []


def test_retained_here_and_adopted_there(team: Team, neighbour: Team) -> None:
    """How a resource moves to another namespace, without a minute of downtime."""
    team.apply(manifest())
    known = team.until("mixtral", "Serving")["status"]["endpointID"]
    neighbour.apply(adopting(known))
    waiting = neighbour.until("mixtral", "AdoptionRefused")
    assert f"{team.name}/mixtral" in message(waiting)
    assert writes(team, known) == []
    team.spec("mixtral", deletionPolicy="Retain")
    team.delete()
    team.gone()
    serving = neighbour.until("mixtral", "Serving")
    assert serving["status"]["endpointID"] == known
    assert Judge.of(team.operator, neighbour).marks(by_id(team, known))
    assert by_id(team, known)["state"] == "STARTED"
    assert set(team.patches()[0]) == {"display_name"}
    assert len(team.posts()) == 1
    # It is the new one's now, to delete as well.
    neighbour.spec("mixtral", deletionPolicy="Delete")
    neighbour.delete()
    neighbour.gone()
    assert team.live() == []


def test_of_two_that_ask_at_once_one_gets_it_and_then_the_other(team: Team) -> None:
    made = made_by_hand(team)
    both = {"apiVersion": "v1", "kind": "List", "items": [adopting(made, n) for n in ("a", "b")]}
    team.apply(both)
    eventually(
        "one has it and the other knows",
        lambda: {team.reason("a"), team.reason("b")} == {"Serving", "AdoptionRefused"},
        within=60,
    )
    have, other = ("a", "b") if team.reason("a") == "Serving" else ("b", "a")
    refused = team.read(other)
    assert refused is not None
    assert f"{team.name}/{have}" in message(refused)
    assert Judge.of(team.operator, team, have).marks(by_id(team, made))
    marks = {body["display_name"] for body in team.patches() if "display_name" in body}
    assert len(marks) == 1
    team.delete(have)
    team.gone(have)
    team.until(other, "Serving")
    assert Judge.of(team.operator, team, other).marks(by_id(team, made))
    assert team.posts() == []


def test_another_cluster_s_mark_is_respected_before_and_after(team: Team) -> None:
    theirs = Marker.of("another-cluster", "their-uid", "aaaa").write("ml/theirs")
    made = made_by_hand(team, display_name=theirs)
    team.apply(adopting(made, deletionPolicy="Delete"))
    refused = team.until("mixtral", "AdoptionRefused")
    assert "another cluster" in message(refused)
    assert theirs.rpartition(" ")[2] in message(refused)
    assert writes(team, made) == []

    team.together.force(made, display_name="ml/theirs")
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.until("mixtral", "Serving")
    changes = len(writes(team, made))
    # Another cluster was at it in the same minutes, and its mark came last.
    team.together.force(made, display_name=theirs)
    conflict = team.until("mixtral", "EndpointConflict")
    assert conditions(conflict)["Stalled"]["status"] == "True"
    team.spec("mixtral", autoscaling={"minReplicas": 3})
    team.until("mixtral", "EndpointConflict")
    team.delete()
    team.gone()
    assert len(writes(team, made)) == changes
    assert by_id(team, made)["deleted_at"] is None


def test_a_stopped_one_is_started_only_when_asked(team: Team) -> None:
    made = made_by_hand(team)
    team.together.force(made, state="STOPPED")
    team.apply(adopting(made, deletionPolicy="Delete"))
    team.until("mixtral", "StoppedRemotely")
    team.polled(3)
    assert all("state" not in body for body in team.patches())
    team.annotate("mixtral", "restart-requested-at", "now")
    team.until("mixtral", "Serving")
    team.delete()
    team.gone()
    assert team.live() == []
    assert team.posts() == []


def test_killed_at_the_record_and_robbed_of_it(operator: OperatorProcess, team: Team) -> None:
    made = made_by_hand(team)
    team.apply(adopting(made))
    operator.kill_at("Record", "mixtral")
    operator.start()
    team.until("mixtral", "Serving")
    operator.stop()
    team.patch("mixtral", {"status": None}, "--subresource=status")
    operator.start()
    again = team.until("mixtral", "Serving")
    assert again["status"]["endpointID"] == made
    assert again["status"]["adopted"] is True
    assert team.posts() == []
    team.delete()
    team.gone()
    assert by_id(team, made)["deleted_at"] is None


def test_what_was_taken_over_and_has_gone_is_ordered_anew_only_if_asked(team: Team) -> None:
    made = made_by_hand(team)
    team.apply(adopting(made))
    team.until("mixtral", "Serving")
    team.together.delete(made)
    missing = team.until("mixtral", "RemoteMissing")
    assert "spec.onMissing" in message(missing)
    team.polled(3)
    assert team.posts() == []

    team.spec("mixtral", onMissing="Recreate")
    serving = team.until("mixtral", "Serving", within=120)
    another = serving["status"]["endpointID"]
    assert another != made
    assert serving["status"]["operation"]["replaces"] == made
    assert serving["status"]["adopted"] is True
    assert made in team.until_told("EndpointRecreated")
    Judge.of(team.operator, team).one(another)
    assert len(team.posts()) == 1
    # `adopt` names what is gone: it may be taken out, and not be pointed elsewhere.
    refused = team.kubectl(
        *("patch", "tep", "mixtral", "--type=merge", "-p"),
        '{"spec":{"adopt":{"endpointID":"endpoint-other"}}}',
        check=False,
    )
    assert "spec.adopt: Forbidden: is fixed" in refused
    team.spec("mixtral", adopt=None, deletionPolicy="Delete")
    team.until("mixtral", "Serving")
    team.delete()
    team.gone()
    assert team.live() == []


def test_one_that_was_ordered_and_has_gone_is_replaced_and_never_doubled(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest(onMissing="Recreate"))
    known = team.until("mixtral", "Serving")["status"]["endpointID"]
    one = f"^/v1/endpoints/{known}$"
    # Out of sight for a while, for LIST and GET alike: nothing is ordered.
    team.together.arm(
        {"path_regex": "^/v1/endpoints$", "fault": "omit", "body": [known], "times": -1},
        {"method": "GET", "path_regex": one, "fault": "not_found", "times": -1},
    )
    team.awaits("mixtral", "missed", lambda it: "no longer exists" in message(it))
    team.together.clear_faults()
    assert team.until("mixtral", "Serving")["status"]["endpointID"] == known
    assert len(team.posts()) == 1

    team.together.delete(known)
    team.awaits("mixtral", "missed", lambda it: "no longer exists" in message(it))
    operator.kill()
    team.together.arm({"method": "POST", "path_regex": "^/v1/endpoints$", "fault": "reset_after"})
    operator.start()
    serving = team.until("mixtral", "Serving", within=120)
    judge = Judge.of(operator, team)
    judge.one(serving["status"]["endpointID"])
    assert len(judge.posts()) == 2
    team.delete()
    team.gone()
    judge.none()
