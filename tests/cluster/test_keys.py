"""Keys come, change and go: an endpoint is never stranded by it, and a key is never told.

The person's Secret may be replaced, revoked or deleted at any time. With the copy that the operator
keeps it may look, stop and delete, and never buy.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.support.contract import assert_row, conditions
from tests.support.judge import Judge
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_local.simulator.accounts import key_id
from together_operator.resource.names import KEY_COPY_LABEL

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]

USED: set[str] = set()
"""Every key that a test of this module used; the last test looks for them everywhere."""


@pytest.fixture
def served(team: Team) -> Object:
    """A resource that serves."""
    USED.add(team.key)
    team.apply(manifest())
    return team.until("mixtral", "Serving")


def test_a_rotated_key_is_taken_into_use(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    fresh = another_key(team, project=team.name)
    team.secret(fresh)
    team.together.keys(deny=[team.key])
    eventually("the new key is in use", lambda: kept(operator, served) == fresh)
    eventually("it is polled with", lambda: len(lists(operator, fresh)) > 2)
    assert "KeyChanged" in team.events()
    found = team.until("mixtral", "Serving")
    assert "True" not in stalled(team, after=served)
    assert found["status"]["endpointID"] == served["status"]["endpointID"]
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    team.until_remote("it is scaled", autoscaling={"min_replicas": 2, "max_replicas": 2})
    assert len(team.posts()) == 1


def test_a_rotated_key_is_used_for_the_next_change(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    """The former key still works; nothing but a change tells that there is a new one."""
    fresh = another_key(team, project=team.name)
    team.secret(fresh)
    team.spec("mixtral", displayName="Renamed")
    eventually("the new key is in use", lambda: kept(operator, served) == fresh)
    team.until("mixtral", "Serving")
    (patch,) = operator.writes("PATCH", f"/v1/endpoints/{served['status']['endpointID']}")
    assert patch["key_id"] == key_id(fresh)


def test_a_key_of_another_project_is_not_taken_into_use(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    made = served["status"]["endpointID"]
    other = another_key(team, project=f"{team.name}-other")
    team.secret(other)
    team.annotate("mixtral", "reconcile-requested-at", "1")
    found = team.until("mixtral", "CredentialMismatch")
    assert conditions(found)["Stalled"]["status"] == "True"
    assert "Secret together" in conditions(found)["Ready"]["message"]
    assert kept(operator, served) == team.key

    team.delete()
    team.gone()
    assert team.live() == []
    (deletion,) = operator.writes("DELETE", f"/v1/endpoints/{made}")
    assert deletion["key_id"] == key_id(team.key)


def test_a_secret_is_missing_for_a_while(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    team.kubectl("delete", "secret", "together")
    team.annotate("mixtral", "reconcile-requested-at", "1")
    found = team.until("mixtral", "SecretMissing")
    assert_row(
        found, "SecretMissing", ready=False, available=True, reconciling=True, stalled=False,
        synced=False,
    )  # fmt: skip
    assert "Secret together in namespace" in conditions(found)["Ready"]["message"]

    # It may not buy meanwhile, and it may save.
    team.spec("mixtral", autoscaling={"minReplicas": 3})
    team.until("mixtral", "SecretMissing")
    assert team.patches() == []
    found = team.awaits(
        "mixtral",
        "it is a person's turn after the time of grace",
        lambda it: conditions(it)["Stalled"]["status"] == "True",
    )
    assert_row(
        found, "SecretMissing", ready=False, available=True, reconciling=False, stalled=True,
        synced=False,
    )  # fmt: skip

    team.secret(team.key)
    team.until("mixtral", "Serving")
    assert team.endpoint()["autoscaling"] == {"min_replicas": 3, "max_replicas": 3}
    assert len(team.posts()) == 1


def test_without_its_secret_an_endpoint_can_be_stopped_and_not_started(
    team: Team, served: Object
) -> None:
    team.kubectl("delete", "secret", "together")
    team.spec("mixtral", state="Stopped")
    team.until_remote("it is stopped", state="STOPPED")
    team.until("mixtral", "SecretMissing", "Stopped")
    team.spec("mixtral", state="Started")
    team.until("mixtral", "SecretMissing")
    assert team.patches() == [{"state": "STOPPED"}]
    team.secret(team.key)
    team.until("mixtral", "Serving")
    assert team.patches() == [{"state": "STOPPED"}, {"state": "STARTED"}]


def test_the_secret_goes_before_the_resource(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    team.kubectl("delete", "secret", "together")
    # Not even the process need remember it.
    operator.kill()
    operator.start()
    team.delete()
    team.gone()
    assert team.live() == []


def test_a_key_is_refused_for_a_while(team: Team, served: Object) -> None:
    """Told in words that repeat the key, as some APIs do: they are passed on without it."""
    words = f"Incorrect API key provided: {team.key}. Find yours in the settings"
    team.together.arm(
        {"fault": "status", "status": 401, "times": -1, "body": {"error": {"message": words}}}
    )
    found = team.until("mixtral", "Unauthorized")
    assert_row(
        found, "Unauthorized", ready=False, available=True, reconciling=True, stalled=False,
        synced=False,
    )  # fmt: skip
    assert "Incorrect API key" in conditions(found)["Ready"]["message"]
    team.together.clear_faults()
    team.until("mixtral", "Serving")
    assert team.patches() == []
    assert len(team.posts()) == 1


def test_the_key_is_missing_from_the_beginning(operator: OperatorProcess, team: Team) -> None:
    team.kubectl("delete", "secret", "together")
    team.apply(manifest("waits"))
    team.apply(manifest("goes"))
    found = team.until("waits", "SecretMissing")
    assert "finalizers" not in found["metadata"]
    team.delete("goes")
    team.gone("goes")
    assert team.posts() == []
    team.secret(team.key)
    team.until("waits", "Serving")
    Judge.of(operator, team, "waits").one(team.endpoint()["id"])


def test_copies_of_keys_are_labelled_single_and_swept(
    operator: OperatorProcess, team: Team, served: Object
) -> None:
    uid = served["metadata"]["uid"]
    nobody = "00000000-0000-0000-0000-000000000000"
    orphan = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"together-key-{nobody}",
            "labels": {KEY_COPY_LABEL: "true"},
            "annotations": {
                "together-operator.io/uid": nobody,
                "together-operator.io/resource": f"{team.name}/nobody",
            },
        },
        "stringData": {"api-key": team.key},
    }
    operator.cluster.kubectl(
        "-n", operator.namespace, "create", "-f", "-", input=json.dumps(orphan)
    )
    team.apply(manifest("second"))
    team.until("second", "Serving")
    assert len([c for c in copies(operator) if owner(c) == uid]) == 1
    assert {c["metadata"]["labels"][KEY_COPY_LABEL] for c in copies(operator)} == {"true"}
    team.delete()
    team.gone()
    eventually("its copy goes with it", lambda: uid not in map(owner, copies(operator)))
    eventually("what belongs to nobody", lambda: nobody not in map(owner, copies(operator)))
    assert team.reason("second") == "Serving"


def test_no_key_is_told_anywhere(operator: OperatorProcess) -> None:
    """The last test: after everything above, with the log at debug."""
    assert len(USED) > 9
    told = {
        "log": operator.log.read_text(),
        "metrics": operator.metrics(),
        "ledger": json.dumps(operator.simulator.admin.ledger()),
        "history": json.dumps(operator.space.stream.all_versions()),
    }
    for space in operator.spaces:
        told[f"{space.name}"] = space.kubectl("get", "tep,events,configmaps", "-o", "yaml")
    own = operator.cluster.kubectl
    told["own"] = own("-n", operator.namespace, "get", "configmaps,events", "-o", "yaml").stdout
    for where, text in told.items():
        assert text
        for key in USED:
            for form in forms(key):
                assert form not in text, f"a key in {where}"


def another_key(team: Team, project: str) -> str:
    """One more key."""
    key = f"{team.key}-{len(USED)}"
    team.together.keys(projects={key: project})
    USED.add(key)
    return key


def lists(operator: OperatorProcess, key: str) -> list[Object]:
    """The LISTs with a key."""
    return [r for r in operator.writes("GET") if r["key_id"] == key_id(key)]


def copies(operator: OperatorProcess) -> list[Object]:
    """The Secrets in the operator's own namespace."""
    text = operator.cluster.kubectl("-n", operator.namespace, "get", "secrets", "-o", "json").stdout
    return list(json.loads(text)["items"])


def owner(copy: Object) -> str | None:
    """The resource that a key copy belongs to, by uid."""
    uid: str | None = copy["metadata"].get("annotations", {}).get("together-operator.io/uid")
    return uid


def kept(operator: OperatorProcess, resource: Object) -> str:
    """The key that the operator keeps for a resource."""
    (copy,) = [c for c in copies(operator) if owner(c) == resource["metadata"]["uid"]]
    return base64.b64decode(copy["data"]["api-key"]).decode()


def stalled(team: Team, *, after: Object) -> set[str]:
    """What `Stalled` was since."""
    return {conditions(v)["Stalled"]["status"] for v in team.history(after=after)}


def forms(key: str) -> set[str]:
    """A key, and its base64 wherever in a text it may begin."""
    encoded = {base64.b64encode(b"\0" * pad + key.encode()).decode() for pad in range(3)}
    return {key, *(text[4:-4] for text in encoded)}
