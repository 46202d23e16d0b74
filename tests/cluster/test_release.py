"""Letting resources go whose operator is gone: what is told, what is done, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.judge import Judge
from tests.support.operator import KEYS, OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_operator.core.marker import owner_tag
from together_operator.resource.names import FINALIZER

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]


def test_a_deletion_that_nobody_carries_out_is_let_go(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    endpoint_id, uid = found["status"]["endpointID"], found["metadata"]["uid"]
    with gone(operator):
        team.delete()
        assert team.read() is not None, "its finalizer holds it"
        done = release(operator, f"{team.name}/mixtral", "--yes")
        assert done.returncode == 0, done.stderr
        [row] = [line.split() for line in done.stdout.splitlines() if endpoint_id in line]
        assert row == [f"{team.name}/mixtral", "goes", endpoint_id, "STARTED", "10.80"]
        assert "$10.80 an hour" in done.stdout
        assert "Nobody looks after them any more" in done.stdout
        assert f"{team.name}/mixtral released." in done.stdout
        assert KEYS not in done.stdout + done.stderr
        team.gone()
        assert copies(operator, uid) == []
        judge = Judge(operator, uid)
        judge.one(endpoint_id)
        assert judge.touched(endpoint_id) == []
    # What a person let go is told as that, and is nobody's to stop.
    assert json.loads(orphans(operator, team).stdout)["orphans"][0]["why"] == "Released"


def test_what_is_not_deleted_stays_and_is_taken_up_again(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest())
    team.apply(manifest("second"))
    before = {name: team.until(name, "Serving") for name in ("mixtral", "second")}
    everything = ("--all", "--namespace", team.name)
    with gone(operator):
        done = release(operator, *everything, answer="n\n")
        assert done.returncode == 1
        assert "Release 2 resources?" in done.stdout
        assert "Nothing was released" in done.stderr
        assert all(held(team, name) for name in before)
        done = release(operator, *everything, answer="")
        assert done.returncode == 1, "nobody was there to answer"
        assert all(held(team, name) for name in before)

        done = release(operator, *everything, answer="y\n")
        assert done.returncode == 0, done.stderr
        assert "2 left at Together, $21.60 an hour" in done.stdout
        for name, found in before.items():
            assert not held(team, name)
            assert copies(operator, found["metadata"]["uid"]) == []
        done = release(operator, *everything)
        assert done.returncode == 0
        assert "nothing to release" in done.stdout
    for name, found in before.items():
        team.awaits(name, "held again", lambda it: FINALIZER in it["metadata"]["finalizers"])
        now = team.until(name, "Serving")
        Judge.of(operator, team, name).one(found["status"]["endpointID"])
        assert now["status"]["endpointID"] == found["status"]["endpointID"]
    assert len(team.posts()) == 2


def test_where_it_cannot_look_it_says_so_plainly(operator: OperatorProcess, team: Team) -> None:
    team.apply(manifest())
    endpoint_id = team.until("mixtral", "Serving")["status"]["endpointID"]
    with gone(operator):
        team.together.keys(deny=[team.key])
        try:
            done = release(operator, f"{team.name}/mixtral", "--yes")
        finally:
            team.together.keys(allow=[team.key])
        assert done.returncode == 0, done.stderr
        assert f"The account of {team.name}/mixtral" in done.stderr
        [row] = [line for line in done.stdout.splitlines() if endpoint_id in line]
        assert "unknown: Together does not answer" in row
        assert row.rstrip().endswith("?")
        assert "and 1 at a price that is not known" in done.stdout
        assert not held(team, "mixtral")


def test_what_an_order_may_yet_make_is_watched_for(operator: OperatorProcess, team: Team) -> None:
    team.together.arm(
        {"fault": "reset_before", "method": "POST", "path_regex": "^/v1/endpoints$", "times": -1}
    )
    team.apply(manifest())
    found = team.until("mixtral", "Claiming")
    uid = found["metadata"]["uid"]
    with gone(operator):
        team.together.clear_faults()
        team.delete()
        done = release(operator, f"{team.name}/mixtral", "--yes")
        assert done.returncode == 0, done.stderr
        assert "may yet make an endpoint" in done.stdout
        team.gone()
        [copy] = copies(operator, uid)
        tombstone = json.loads(copy["metadata"]["annotations"]["together-operator.io/tombstone"])
        assert tombstone["owner"] == owner_tag(uid)
        assert found["status"]["operation"]["nonce"] in tombstone["nonces"]
        done = release(operator, "--all", "--namespace", team.name)
        assert "key copies stay for a day at most" in done.stdout
        assert len(copies(operator, uid)) == 1


def test_it_is_refused_while_an_operator_leads_and_where_it_is_not_clear(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    one = f"{team.name}/mixtral"
    with gone(operator), leading(operator):
        for args, code, words in (
            ((), 2, "Name the resources as NAMESPACE/NAME, or say --all"),
            ((one, "--all"), 2, "Name the resources as NAMESPACE/NAME, or say --all"),
            (("mixtral",), 2, "'mixtral' is not NAMESPACE/NAME"),
            ((f"{team.name}/typo", "--force"), 1, f"no TogetherEndpoint {team.name}/typo"),
        ):
            done = release(operator, *args, "--yes")
            assert (done.returncode, words in done.stderr) == (code, True), done.stderr
        done = release(operator, f"{team.name}/mixtral", "--yes")
        assert done.returncode == 3
        assert "Refused: somebody holds the Lease" in done.stderr
        assert "Delete the resources with kubectl" in done.stderr
        assert held(team, "mixtral")
        done = release(operator, f"{team.name}/mixtral", "--yes", "--force")
        assert done.returncode == 0, done.stderr
        assert not held(team, "mixtral")


@contextmanager
def gone(operator: OperatorProcess) -> Iterator[None]:
    """The operator was removed; afterwards it is installed again."""
    operator.stop()
    try:
        yield
    finally:
        operator.start()


@contextmanager
def leading(operator: OperatorProcess) -> Iterator[None]:
    """Somebody holds the operator's Lease and renews it."""
    lease: Object = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "together-operator", "namespace": operator.namespace},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15},
    }
    over = threading.Event()

    def renew() -> None:
        number = 0
        while not over.is_set():
            number += 1
            lease["spec"]["renewTime"] = f"2030-01-01T00:00:00.{number:06d}Z"
            operator.cluster.kubectl("apply", "-f", "-", input=json.dumps(lease))
            over.wait(1)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        eventually(
            "the Lease is there",
            lambda: (
                "somebody"
                in operator.cluster.kubectl(
                    *("-n", operator.namespace, "get", "lease", "-o", "yaml")
                ).stdout
            ),
        )
        yield
    finally:
        over.set()
        thread.join()
        operator.cluster.kubectl("-n", operator.namespace, "delete", "lease", "together-operator")


def release(
    operator: OperatorProcess, *args: str, answer: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`together-operator release`, as the cluster's administrator runs it."""
    return _run(operator, "release", *args, answer=answer)


def orphans(operator: OperatorProcess, team: Team) -> subprocess.CompletedProcess[str]:
    """`together-operator orphans` of one namespace, with its key."""
    return _run(operator, "orphans", "--namespace", team.name, "-o", "json", key=team.key)


def _run(
    operator: OperatorProcess, *args: str, answer: str | None = None, key: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "together_operator", *args),
            *("--kubeconfig", str(operator.cluster.kubeconfig)),
            *("--base-url", operator.simulator.base_url),
            *("--operator-namespace", operator.namespace),
        ],
        input=answer or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env={**os.environ, **({"TOGETHER_API_KEY": key} if key else {})},
    )


def held(team: Team, name: str) -> bool:
    """Whether our finalizer is on a resource."""
    found = team.read(name)
    return found is not None and FINALIZER in found["metadata"].get("finalizers", [])


def copies(operator: OperatorProcess, uid: str) -> list[Object]:
    """The key copies of a resource."""
    text = operator.cluster.kubectl(
        *("-n", operator.namespace, "get", "secrets", "-o", "json"),
    ).stdout
    return [
        item
        for item in json.loads(text)["items"]
        if (item["metadata"].get("annotations") or {}).get("together-operator.io/uid") == uid
    ]
