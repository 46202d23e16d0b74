"""Orphans: what a person learns of endpoints without a resource, and what is never done to them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.measure import samples
from tests.support.operator import HARDWARE, KEYS, MODEL, OperatorProcess, eventually, manifest
from tests.support.running import run_command, running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster
from together_operator.controller.identity import CONFIGMAP
from together_operator.core.marker import Marker

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]

WAIT = 600 / 30
"""Seconds of `--orphan-wait`, at the tests' scale."""


@pytest.fixture(scope="module")
def stopping(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that serves the whole cluster and stops orphans, with three teams."""
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path_factory.mktemp("orphans"),
        spaces=3,
        secret=False,
        clusterwide=True,
        flags=("--orphan-policy", "Stop", "--orphan-wait", "600"),
    ) as running:
        yield running


def test_orphans_are_told_with_their_price_and_stopped_only_if_ours_and_ownerless(
    stopping: OperatorProcess,
) -> None:
    teams = [Team(stopping, space) for space in stopping.spaces]
    for team in teams:
        team.secret(team.key)
    lost, kept, quiet = teams
    # What nobody may touch: what lives, a person's, another cluster's, and what was retained.
    lost.apply(manifest("alive"))
    lost.apply(manifest("doomed"))
    kept.apply(manifest("retained", deletionPolicy="Retain"))
    kept.apply(manifest("alive"))
    quiet.apply(manifest("alive"))
    served = [
        team.until(name, "Serving")
        for team, name in (
            (lost, "alive"), (lost, "doomed"), (kept, "retained"), (kept, "alive"),
            (quiet, "alive"),
        )
    ]  # fmt: skip
    doomed = served[1]["status"]["endpointID"]
    retained = served[2]["status"]["endpointID"]
    by_hand = in_the_console(kept, "made by hand")
    theirs = in_the_console(kept, Marker.of("elsewhere", "uid", "aaaa").write("ml/theirs"))

    lost.patch("doomed", {"metadata": {"finalizers": []}})
    lost.kubectl("delete", "tep", "doomed")
    kept.kubectl("delete", "tep", "retained")

    orphans = {doomed: "OwnerGone", retained: "Released", by_hand: "Unmanaged"}
    eventually(
        "every orphan is told",
        lambda: all(any(i in text for text in told(stopping)) for i in orphans),
        within=120,
        every=0.5,
    )
    text = " ".join(told(stopping))
    for endpoint_id, why in orphans.items():
        assert f"{endpoint_id} ({why})" in text
    assert "an hour" in text
    figures = stopping.metrics()
    for why in ("OwnerGone", "Released", "Unmanaged"):
        assert total(figures, "orphans", why) == 1, why
        assert total(figures, "orphans_price_per_hour_usd", why) == 10.80, why
    assert total(figures, "orphans", "OwnerNotServed") == 0
    assert sum(v for _, v in samples(figures, "together_operator_other_clusters_endpoints")) == 1

    # One request for each newcomer, and never another one.
    for newcomer in (by_hand, theirs):
        assert len(kept.requests("GET", f"/v1/endpoints/{newcomer}")) == 1
    asked = stopping.simulator.admin.ledger()["requests"]
    done = command(stopping, "--namespace", lost.name, "--namespace", kept.name)
    assert done.returncode == 3, done.stderr
    rows = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line.strip()}
    assert rows.items() >= {**orphans, doomed: "OwnerNotServed"}.items()
    assert theirs not in done.stdout
    assert "of other clusters, and theirs to tell: 1." in done.stdout
    assert "3 orphans, $" in done.stdout
    assert "spec.adopt.endpointID" in done.stdout
    done = command(stopping, "--output", "json")
    assert done.returncode == 3, done.stderr
    found = {entry["id"]: entry for entry in json.loads(done.stdout)["orphans"]}
    assert {i: found[i]["why"] for i in orphans} == orphans
    assert found[by_hand]["displayName"] == "made by hand"
    for entry in found.values():
        assert (entry["model"], entry["hardware"]) == (MODEL, HARDWARE)
        assert entry["price"]["perReplicaHour"] == "10.80"
    assert not any(KEYS in text for text in (done.stdout, done.stderr))
    writes = [
        r
        for r in stopping.simulator.admin.ledger()["requests"][len(asked) :]
        if r["method"] != "GET" and r["path"].startswith("/v1/")
    ]
    assert [w for w in writes if w["path"] != f"/v1/endpoints/{doomed}"] == []

    eventually(
        "ours without an owner is stopped",
        lambda: state(stopping, doomed) == "STOPPED",
        within=120,
        every=0.5,
    )
    before = list(told(stopping))
    lost.polled(5)
    [stop] = stopping.writes("PATCH", f"/v1/endpoints/{doomed}")
    assert stop["body"] == {"state": "STOPPED"}
    assert [w["path"] for w in stopping.writes("PATCH")] == [stop["path"]], "and nothing else"
    assert stopping.writes("DELETE") == []
    assert state(stopping, retained) == state(stopping, by_hand) == "STARTED"
    assert state(stopping, theirs) == "STARTED"
    for team in teams:
        assert team.until("alive", "Serving")["status"]["state"] == "STARTED"
    assert told(stopping) == before
    assert any("OrphanStopped" in line for line in told(stopping))

    for team in teams:
        team.kubectl("delete", "tep", "--all")
    for team in teams:
        assert {e["id"] for e in team.live()} <= {doomed, retained, by_hand, theirs}


def test_one_namespace_cannot_tell_an_owner_is_gone(operator: OperatorProcess, team: Team) -> None:
    """The owner may live where this operator does not look."""
    team.apply(manifest())
    team.until("mixtral", "Serving")
    mark = Marker.of(operator.namespace, "uid-elsewhere", "aaaa")
    seen = in_the_console(team, mark.write("other/one"))
    eventually(
        "it is told", lambda: any(seen in text for text in told(operator)), within=120, every=0.5
    )
    assert any(f"{seen} (OwnerNotServed)" in text for text in told(operator))

    here = ("--namespace", team.name)
    assert command(operator, *here).returncode == 3
    team.together.arm({"fault": "status", "status": 503, "method": "GET", "times": -1})
    done = command(operator, *here)
    assert done.returncode == 4
    assert f"The account of {team.name}/mixtral" in done.stderr
    assert "No orphans" in done.stdout
    team.together.clear_faults()
    team.together.delete(seen)
    done = command(operator, *here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No orphans. Looked with 1 key for 1 resource.\n"


def test_what_is_missing_for_the_command_is_said(operator: OperatorProcess, team: Team) -> None:
    done = command(operator, "--operator-namespace", team.name, "--namespace", team.name)
    assert done.returncode == 4
    assert "--operator-namespace" in done.stderr
    done = run_command("orphans", "--base-url", "api.together.ai")
    assert done.returncode == 2
    assert done.stderr.startswith("--base-url (TOGETHER_OPERATOR_BASE_URL): must be")
    done = command(operator, "--cluster-id", "another")
    assert done.returncode == 1
    assert "The cluster id is" in done.stderr


def command(operator: OperatorProcess, *flags: str) -> subprocess.CompletedProcess[str]:
    """`together-operator orphans`, as the cluster's administrator runs it."""
    return run_command(
        "orphans",
        *("--kubeconfig", str(operator.cluster.kubeconfig)),
        *("--base-url", operator.simulator.base_url),
        *("--operator-namespace", operator.namespace),
        *flags,
    )


def in_the_console(team: Team, display_name: str) -> str:
    """An endpoint that a person makes at Together; its id."""
    made: Object = team.together.create(
        {
            "project": team.name,
            "model": MODEL,
            "hardware": HARDWARE,
            "display_name": display_name,
            "autoscaling": {"min_replicas": 1, "max_replicas": 1},
        }
    )
    return str(made["id"])


def state(operator: OperatorProcess, endpoint_id: str) -> str:
    """Together's word for an endpoint."""
    [found] = [e for e in operator.live() if e["id"] == endpoint_id]
    return str(found["state"])


def told(operator: OperatorProcess) -> list[str]:
    """The events on the operator's own object."""
    found = operator.cluster.kubectl(
        *("-n", operator.namespace, "get", "events", "-o", "json"),
        f"--field-selector=involvedObject.name={CONFIGMAP}",
    )
    return sorted(f"{e['reason']}: {e['message']}" for e in json.loads(found.stdout)["items"])


def total(figures: str, name: str, why: str) -> float:
    """The sum of a metric over all keys."""
    found = samples(figures, f"together_operator_{name}")
    return round(sum(value for labels, value in found if labels["why"] == why), 2)
