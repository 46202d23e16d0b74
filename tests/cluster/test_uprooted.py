"""What removes all resources at once deletes no endpoint: the CRD, the operator, its Helm release.

Judged by Together's books, and by what the events say is left there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chart import CHART, IMAGE
from tests.support.definition import define
from tests.support.judge import Judge
from tests.support.operator import Object, OperatorProcess, eventually, manifest
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.binaries import Binaries
from together_local.cluster.control_plane import ControlPlane
from together_operator.resource.names import DEFINITION, KEY_COPY_LABEL

pytestmark = pytest.mark.timeout(400)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


@pytest.fixture(scope="module")
def plane(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster whose CRD may go."""
    with ControlPlane.start(tmp_path_factory.mktemp("plane"), binaries) as plane:
        yield plane


@pytest.fixture(params=[True, False], ids=["in-the-cluster", "in-a-namespace"])
def team(
    request: pytest.FixtureRequest, plane: ControlPlane, helm_binary: Path, tmp_path: Path
) -> Iterator[Team]:
    """A team on an operator that may read the CRD, and on one that may not."""
    define(plane.kubectl)
    with running_operator(
        plane, helm_binary, tmp_path, secret=False, clusterwide=request.param
    ) as operator:
        team = Team(operator, operator.space)
        team.secret(team.key)
        yield team
        define(plane.kubectl)


def definition(team: Team) -> Object | None:
    """The CRD."""
    text = team.cluster.kubectl("get", "crd", DEFINITION, "-o", "json", "--ignore-not-found").stdout
    return json.loads(text) if text.strip() else None


def undefine(team: Team) -> None:
    """Delete the CRD, without waiting."""
    team.cluster.kubectl("delete", "crd", DEFINITION, "--wait=false")


def undefined(team: Team) -> None:
    """Wait until the CRD is gone."""
    eventually("the CRD is gone", lambda: definition(team) is None, within=120, every=0.3)


def copies(team: Team) -> list[str]:
    """The key copies that the operator keeps."""
    return team.cluster.kubectl(
        *("get", "secrets", "-n", team.operator.namespace, "-o", "name"),
        *("-l", f"{KEY_COPY_LABEL}=true"),
    ).stdout.split()


def left(team: Team, name: str) -> str:
    """What the event says of an endpoint that stays."""
    return team.until_told("EndpointRetained", name)


def test_deleting_the_crd_deletes_no_endpoint(team: Team) -> None:
    """Whatever the policy, and however far each of them has come."""
    for name, policy in {"deletes": None, "stops": "Stop", "retains": "Retain"}.items():
        team.apply(manifest(name, **({"deletionPolicy": policy} if policy else {})))
    made = {
        name: team.until(name, "Serving")["status"]["endpointID"]
        for name in ("deletes", "stops", "retains")
    }
    team.spec("deletes", suspend=True)
    # One whose create is not resolved: what it made is found, and written down, while the CRD goes.
    team.together.arm(
        {**POST, "fault": "reset_after"},
        {
            "method": "GET",
            "fault": "hide_in_list",
            "path_regex": "/endpoints$",
            "seconds": 3,
            "times": -1,
        },
    )
    team.apply(manifest("unclear"))
    judge = Judge.of(team.operator, team, "unclear")
    judge.until_posted()
    before = writes(team)

    undefine(team)
    undefined(team)
    assert writes(team) == before
    assert any(
        "took over" in message.lower() for message in team.told("unclear")["EndpointClaimed"]
    )
    (unclear,) = judge.live()
    made["unclear"] = unclear["id"]
    assert {e["id"] for e in team.live()} == set(made.values())
    for name, endpoint_id in made.items():
        said = left(team, name)
        assert f"{endpoint_id} is left as it is at Together" in said
        assert name == "unclear" or "$10.80 per hour" in said
        assert ("CRD" in said) == (name != "retains")
        told = f"EndpointRetained: {said}"
        (logged,) = [line for line in team.operator.lines() if line["message"] == told]
        assert logged["level"] == ("info" if name == "retains" else "warning")
    eventually("the key copies are gone", lambda: copies(team) == [])

    # The operator is there for whoever brings the CRD back; what was left is nobody's.
    define(team.cluster.kubectl)
    team.apply(manifest("again"))
    eventually("it serves", lambda: team.reason("again") == "Serving", within=90, every=0.5)
    team.delete("again")
    team.gone("again")
    assert {e["id"] for e in team.live()} == set(made.values())


def test_who_was_deleted_before_the_crd_takes_the_endpoint_along(team: Team) -> None:
    for name in ("goes", "stays"):
        team.apply(manifest(name))
    goes, stays = (
        team.until(name, "Serving")["status"]["endpointID"] for name in ("goes", "stays")
    )
    team.together.arm({"method": "DELETE", "fault": "status", "status": 503, "times": -1})
    team.delete("goes")
    eventually("Together is asked", lambda: team.requests("DELETE"))
    # The API server counts in seconds.
    eventually("another second", lambda: second(team) > deleted_at(team.read("goes")), every=0.2)
    undefine(team)
    assert deleted_at(definition(team)) > deleted_at(team.read("goes"))
    team.together.clear_faults()
    undefined(team)
    assert [e["id"] for e in team.live()] == [stays]
    assert goes not in json.dumps(team.told("goes").get("EndpointRetained", []))
    assert stays in left(team, "stays")


@pytest.mark.parametrize("team", [False], indirect=True, ids=["in-a-namespace"])
def test_the_crd_goes_while_no_operator_runs(team: Team) -> None:
    team.apply(manifest())
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.operator.stop()
    undefine(team)
    eventually("it is being deleted", lambda: deleting(team))
    team.operator.launch()
    undefined(team)
    untouched(team, made)


@pytest.mark.parametrize("team", [True], indirect=True, ids=["in-the-cluster"])
def test_the_crd_is_removed_by_force_and_comes_back(team: Team) -> None:
    """What it defined stays in etcd, and comes back as it was: being deleted."""
    team.apply(manifest())
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.operator.stop()
    undefine(team)
    eventually("it is being deleted", lambda: deleting(team))
    patch = '{"metadata":{"finalizers":[]}}'
    team.cluster.kubectl("patch", "crd", DEFINITION, "--type=merge", "-p", patch)
    undefined(team)
    define(team.cluster.kubectl)
    assert deleting(team)
    team.operator.start()
    eventually("it is gone", lambda: not deleting(team), within=90, every=0.3)
    untouched(team, made)


def untouched(team: Team, endpoint_id: str) -> None:
    """The resource is gone, its endpoint is as it was, and that is told."""
    assert [(e["id"], e["state"]) for e in team.live()] == [(endpoint_id, "STARTED")]
    assert writes(team) == []
    said = left(team, "mixtral")
    assert endpoint_id in said
    assert "CRD" in said


def deleting(team: Team) -> bool:
    """Whether the resource is there, and being deleted."""
    text = team.kubectl("get", "tep", "mixtral", "-o", "json", check=False)
    return text.startswith("{") and "deletionTimestamp" in json.loads(text)["metadata"]


def test_uninstalling_the_release_stops_and_deletes_nothing(
    plane: ControlPlane, helm_binary: Path, tmp_path: Path
) -> None:
    with running_operator(plane, helm_binary, tmp_path, secret=False, start=False) as operator:
        team = Team(operator, operator.space)
        team.secret(team.key)
        install(operator, "--take-ownership", "--force-conflicts")
        operator.start()
        team.apply(manifest())
        serving = team.until("mixtral", "Serving")
        said = plane.helm("uninstall", operator.namespace, "-n", operator.namespace).stdout
        assert DEFINITION in said, "Helm names what it keeps"
        # Its rights go before its pod does.
        eventually(
            "the cluster refuses the operator",
            lambda: any(
                "not accept the credentials" in line["message"] or "may not" in line["message"]
                for line in operator.lines()
            ),
            within=90,
        )
        operator.stop()
        left_alone = team.read()
        assert left_alone is not None
        assert "deletionTimestamp" not in left_alone["metadata"]
        assert left_alone["status"]["endpointID"] == serving["status"]["endpointID"]
        assert [e["state"] for e in team.live()] == ["STARTED"]
        assert [r for r in writes(team) if r["method"] == "DELETE" or "state" in r["body"]] == []

        # Whoever installs it again goes on with what there is.
        install(operator)
        account = f"{operator.namespace}-together-operator"
        plane.service_account_kubeconfig(operator.namespace, account, tmp_path / "kubeconfig")
        operator.start()
        team.annotate("mixtral", "reconcile-requested-at", "now")
        eventually("it is looked at", lambda: "lastHandledReconcileAt" in team.status())
        assert team.reason() == "Serving"
        assert len(team.posts()) == 1
        team.delete()
        team.gone()
        assert team.live() == []
        plane.helm("uninstall", operator.namespace, "-n", operator.namespace)


def install(operator: OperatorProcess, *flags: str) -> None:
    """Install the chart, with the operator's own namespace as its release."""
    own = operator.namespace
    spaces = ",".join(space.name for space in operator.spaces)
    operator.cluster.helm(
        *("install", own, str(CHART), "-n", own, *flags),
        *("--set", f"image.repository={IMAGE},settings.clusterID={own}"),
        *("--set", f"scope.namespaces={{{spaces}}}"),
    )


def writes(team: Team) -> list[Object]:
    """The changes of endpoints that were asked for."""
    return [*team.requests("PATCH"), *team.requests("DELETE")]


def deleted_at(found: Object | None) -> str:
    """When something was deleted, as the API server tells it."""
    assert found is not None
    return str(found["metadata"]["deletionTimestamp"])


def second(team: Team) -> str:
    """The API server's time, as it tells it."""
    name = "what-time-is-it"
    team.kubectl("create", "configmap", name)
    found = json.loads(team.kubectl("get", "configmap", name, "-o", "json"))
    team.kubectl("delete", "configmap", name)
    return str(found["metadata"]["creationTimestamp"])
