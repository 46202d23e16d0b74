"""Whoever has rights in one namespace has none in another by way of the operator.

The operator may read any Secret and holds everybody's keys, so it must not lend that to a resource:
whatever somebody writes into a resource of theirs, its status and its annotations, only their own
key is ever used for it, at the one base URL, and another namespace's endpoint goes on as before.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.operator import Object, OperatorProcess, manifest
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster
from together_local.simulator.accounts import key_id
from together_operator.core.marker import Marker
from together_operator.resource.names import FINALIZER, KEY_COPY_LABEL

pytestmark = pytest.mark.timeout(300)

NO_NAMES = (
    "{other}/together",
    "../{other}/secrets/together",
    "..%2F{other}%2Fsecrets%2Ftogether",
    "together?namespace={other}",
    "together#",
    "..",
    "{other}:together",
)


class Border:
    """Two namespaces of one operator.

    Attributes:
        operator: The operator.
        ours: Where somebody has rights.
        theirs: Where they have none; an endpoint serves there.
    """

    def __init__(self, operator: OperatorProcess) -> None:
        self.operator = operator
        self.ours, self.theirs = (Team(operator, space) for space in operator.spaces)

    @property
    def victim(self) -> Object:
        """The other namespace's resource."""
        found = self.theirs.read()
        assert found is not None
        return found

    def forge(self, name: str, **status: Any) -> None:
        """Write a status of ours that is the other one's, bound to itself and under its own mark.

        Args:
            name: A resource that still waits for its key, which it then gets.
            status: What else is written.
        """
        mine, other = self.ours.until(name, "SecretMissing"), self.victim
        uid = mine["metadata"]["uid"]
        mark = Marker.of(self.operator.namespace, uid, "aaaa").write("mine")
        forged = {
            **other["status"],
            "observedGeneration": mine["status"]["observedGeneration"],
            "conditions": mine["status"]["conditions"],
            "operation": {**other["status"]["operation"], "uid": uid},
            "displayName": mark,
            **status,
        }
        self.ours.kubectl(
            "replace", "--subresource=status", "-f", "-", document={**mine, "status": forged}
        )
        self.ours.secret(self.ours.key, name=name)

    def untouched(self) -> None:
        """Nothing was done to the other one's endpoint, and its resource can go on as before."""
        endpoint = self.victim["status"]["endpointID"]
        assert [e["id"] for e in self.theirs.live()] == [endpoint]
        stranger = key_id(self.ours.key)
        done = [
            (r["method"], r["path"], r["status"])
            for r in self.theirs.together.ledger()["requests"]
            if r["key_id"] == stranger and endpoint in r["path"] and r["status"] < 400
        ]
        assert done == []
        replicas = 1 + self.victim["spec"]["autoscaling"]["minReplicas"] % 3
        self.theirs.spec("mixtral", autoscaling={"minReplicas": replicas})
        self.theirs.until("mixtral", "Serving")
        assert self.theirs.endpoint()["autoscaling"]["min_replicas"] == replicas


@pytest.fixture(scope="module")
def border(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Border]:
    folder = tmp_path_factory.mktemp("isolation")
    with running_operator(control_plane, helm_binary, folder, spaces=2, secret=False) as operator:
        both = Border(operator)
        both.ours.secret(both.ours.key)
        both.theirs.secret(both.theirs.key)
        # Older than what they reach for, which would decide if nothing better did.
        for name in ("thief", "remover"):
            both.ours.apply(manifest(name, apiKeySecretRef={"name": name}))
            both.ours.until(name, "SecretMissing")
        both.theirs.apply(manifest())
        both.theirs.until("mixtral", "Serving")
        yield both


@contextmanager
def trap() -> Iterator[tuple[str, list[Any]]]:
    """A server that nobody has any reason to talk to, and who did."""
    callers: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, caller = server.accept()
                except OSError:
                    return
                callers.append(caller)
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1", callers
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_a_secret_of_another_namespace_cannot_be_named(border: Border) -> None:
    ours, theirs = border.ours, border.theirs
    for name in NO_NAMES:
        reference = {"name": name.format(other=theirs.name)}
        for spec in (
            {"apiKeySecretRef": reference},
            {"connection": {"configMapName": reference["name"]}},
        ):
            said = ours.kubectl(
                "create", "-f", "-", document=manifest("reaches", **spec), check=False
            )
            assert "must be the name of a" in said, said
    # A field for it is no part of the resource, however it gets there.
    reaching = {"name": "only-theirs", "namespace": theirs.name}
    theirs.secret(theirs.key, name="only-theirs")
    ours.kubectl(
        "create", "--validate=false", "-f", "-",
        document=manifest("reaches", apiKeySecretRef=reaching, baseURL="http://127.0.0.1:9/v1"),
    )  # fmt: skip
    found = ours.until("reaches", "SecretMissing")
    assert f"only-theirs in namespace {ours.name}" in conditions(found)["Ready"]["message"]
    assert "baseURL" not in found["spec"]
    ours.delete("reaches")
    border.untouched()


def test_a_key_that_the_operator_keeps_is_nobodys_to_name(border: Border) -> None:
    """Whoever may make resources in its own namespace must not get at the others' keys there."""
    ours = border.ours
    ours.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "kept", "labels": {KEY_COPY_LABEL: "true"}},
            "stringData": {"api-key": ours.key},
        }
    )
    ours.apply(manifest("borrows", apiKeySecretRef={"name": "kept"}))
    found = ours.until("borrows", "SecretMissing")
    assert "is a copy that the operator keeps" in conditions(found)["Ready"]["message"]
    ours.delete("borrows")


def test_annotations_with_the_other_ones_uid_and_id_take_nothing(border: Border) -> None:
    victim = border.victim
    uid, endpoint = victim["metadata"]["uid"], victim["status"]["endpointID"]
    tricks = {
        "owner": {"owner-uid": uid},
        "adopts": {"owner-uid": uid, "restored-copy": "Adopt"},
        "claims": {"claim": endpoint},
        "releases": {"release": f"{endpoint},unresolved"},
        "all": {
            "owner-uid": uid, "restored-copy": "Adopt", "claim": endpoint, "release": endpoint,
        },
    }  # fmt: skip
    for name, notes in tricks.items():
        annotations = {f"together-operator.io/{word}": value for word, value in notes.items()}
        border.ours.apply(manifest(name, annotations=annotations))
    for name in tricks:
        mine = border.ours.until(name, "Serving")
        assert mine["status"]["endpointID"] != endpoint
    assert len(border.ours.live()) == len(tricks)
    border.untouched()
    for name in tricks:
        border.ours.delete(name)
    for name in tricks:
        border.ours.gone(name)
    border.untouched()


def test_what_another_namespace_owns_cannot_be_adopted(border: Border) -> None:
    """Without a key that sees it, it is not even known here; with one, it stays its owner's."""
    ours, theirs, victim = border.ours, border.theirs, border.victim
    uid, endpoint = victim["metadata"]["uid"], victim["status"]["endpointID"]
    shared = f"{ours.key}-of-their-project"
    border.operator.simulator.admin.keys(projects={shared: theirs.name})
    ours.secret(shared, name="shared")
    wish = {"adopt": {"endpointID": endpoint}, "deletionPolicy": "Delete"}
    notes = {
        "owner-uid": uid, "restored-copy": "Adopt", "claim": endpoint, "release": endpoint,
    }  # fmt: skip
    tricks = {f"together-operator.io/{word}": value for word, value in notes.items()}
    ordered = len(ours.posts()), len(theirs.posts())
    for key in ("together", "shared"):
        spec = {**wish, "apiKeySecretRef": {"name": key}}
        ours.apply(manifest(f"{key}-asks", **spec))
        ours.apply(manifest(f"{key}-tricks", annotations=tricks, **spec))
    for name in ("asks", "tricks"):
        blind = ours.until(f"together-{name}", "AdoptionRefused", "EndpointConflict")
        said = conditions(blind)["Ready"]["message"]
        assert "no dedicated endpoint of this id" in said
        assert theirs.name not in said, "who has it is nobody's business who cannot see it"
        seeing = ours.until(f"shared-{name}", "AdoptionRefused", "EndpointConflict")
        assert f"{theirs.name}/mixtral" in conditions(seeing)["Ready"]["message"]
        for found in (blind, seeing):
            assert "endpointID" not in found["status"]
    for change in ({"state": "Stopped"}, {"autoscaling": {"minReplicas": 7}}):
        for key in ("together", "shared"):
            ours.spec(f"{key}-asks", **change)
    border.untouched()
    for key in ("together", "shared"):
        for name in ("asks", "tricks"):
            ours.delete(f"{key}-{name}")
            ours.gone(f"{key}-{name}")
    strangers = {key_id(ours.key), key_id(shared)}
    touched = [
        request
        for request in theirs.together.ledger()["requests"]
        if request["key_id"] in strangers
        and request["method"] != "GET"
        and (endpoint in request["path"] or request["key_id"] == key_id(shared))
    ]
    assert touched == []
    assert (len(ours.posts()), len(theirs.posts())) == ordered, "nothing is ordered instead"
    border.untouched()


def test_a_status_that_names_the_other_ones_endpoint_is_worth_nothing(border: Border) -> None:
    """By who may write it in a namespace of their own, with a mark that would be theirs."""
    endpoint = border.victim["status"]["endpointID"]
    with trap() as (elsewhere, callers):
        border.forge("thief", inference={"baseURL": elsewhere, "model": "m"}, api="V1")
        border.ours.until("thief", "EndpointConflict", "RemoteMissing", "CredentialMismatch")
        border.untouched()
        # Nor is the other one held up by it when it has to be looked at afresh.
        border.operator.stop()
        border.operator.start()
        border.untouched()
        for change in ({"state": "Stopped"}, {"autoscaling": {"minReplicas": 7}}):
            border.ours.spec("thief", **change)
        border.untouched()
        # Before it is deleted, for it may go at once.
        border.ours.annotate("thief", "release", endpoint)
        border.ours.delete("thief")
        border.ours.gone("thief")
        assert callers == []
    border.untouched()


def test_a_status_that_says_what_is_to_be_removed_removes_nothing_of_others(
    border: Border,
) -> None:
    victim, mine = border.victim, border.ours.read("remover")
    assert mine is not None
    operation = victim["status"]["operation"]
    border.forge(
        "remover",
        endpointID="endpoint-of-nobody",
        connectionConfigMap="..",
        operation={
            **operation,
            "uid": mine["metadata"]["uid"],
            "removing": [victim["status"]["endpointID"]],
            "open": [operation["nonce"]],
        },
    )
    border.ours.until("remover", "RemoteMissing", "EndpointConflict", "CredentialMismatch")
    border.untouched()
    border.ours.delete("remover")
    border.ours.gone("remover")
    border.untouched()
    assert FINALIZER in border.victim["metadata"]["finalizers"]
