"""`spec.connection`: how an application in the namespace finds the endpoint, by `envFrom` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, eventually, manifest
from tests.support.team import Team

APPLICATION = """
import os, sys
from openai import OpenAI
assert set(os.environ) <= {"OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY", "LC_CTYPE"}
answer = OpenAI().chat.completions.create(
    model=os.environ["OPENAI_MODEL"], messages=[{"role": "user", "content": "hello"}]
)
print(answer.choices[0].message.content)
"""


def configmap(team: Team, name: str) -> Object | None:
    text = team.kubectl("get", "configmap", name, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None


def connected(name: str = "mixtral", to: str = "mixtral-connection", **spec: Any) -> Object:
    return manifest(name, connection={"configMapName": to}, **spec)


def use(environment: dict[str, str]) -> str:
    """Run an application with this environment and nothing else; what it was answered."""
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_application_needs_the_configmap_and_a_key(team: Team) -> None:
    team.apply(connected())
    serving = team.until("mixtral", "Serving")
    found = configmap(team, "mixtral-connection")
    assert found is not None
    assert found["data"] == {
        "OPENAI_BASE_URL": serving["status"]["inference"]["baseURL"],
        "OPENAI_MODEL": serving["status"]["name"],
    }
    (owner,) = found["metadata"]["ownerReferences"]
    assert owner["uid"] == serving["metadata"]["uid"]
    assert owner["controller"] is True
    assert serving["status"]["connectionConfigMap"] == "mixtral-connection"
    team.until_told("ConnectionPublished")
    said = use({**found["data"], "OPENAI_API_KEY": team.key})
    assert serving["status"]["name"] in said
    assert os.linesep in said


def test_it_stays_while_stopped_and_goes_with_the_resource(team: Team) -> None:
    team.apply(connected())
    team.until("mixtral", "Serving")
    before = configmap(team, "mixtral-connection")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert configmap(team, "mixtral-connection") == before
    team.delete()
    team.gone()
    eventually(
        "the ConfigMap is collected",
        lambda: configmap(team, "mixtral-connection") is None,
        within=60,
        every=0.5,
    )


def test_somebody_elses_configmap_is_never_touched(team: Team) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mixtral-connection"},
        "data": {"OPENAI_MODEL": "theirs"},
    }
    team.apply(theirs)
    before = configmap(team, "mixtral-connection")
    team.apply(connected())
    conflict = team.until("mixtral", "ConnectionConflict")
    assert_row(
        conflict, "ConnectionConflict",
        ready=False, available=True, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    message = conditions(conflict)["Stalled"]["message"]
    assert "mixtral-connection" in message
    assert "configMapName" in message
    team.polled(3)
    assert configmap(team, "mixtral-connection") == before
    # Another name helps, and so does making room.
    team.spec("mixtral", connection={"configMapName": "another"})
    team.until("mixtral", "Serving")
    assert configmap(team, "another") is not None
    assert configmap(team, "mixtral-connection") == before


def test_room_that_is_made_is_taken(team: Team) -> None:
    team.kubectl("create", "configmap", "mixtral-connection", "--from-literal=a=b")
    team.apply(connected())
    team.until("mixtral", "ConnectionConflict")
    team.kubectl("delete", "configmap", "mixtral-connection")
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.until("mixtral", "Serving")
    found = configmap(team, "mixtral-connection")
    assert found is not None
    assert "OPENAI_MODEL" in found["data"]


def test_a_new_name_removes_the_former_one(team: Team) -> None:
    team.apply(connected(to="first"))
    team.until("mixtral", "Serving")
    data = (configmap(team, "first") or {})["data"]
    team.spec("mixtral", connection={"configMapName": "second"})
    eventually("the second is there", lambda: configmap(team, "second"), within=20, every=0.3)
    eventually("the first is gone", lambda: not configmap(team, "first"), within=20, every=0.3)
    assert (configmap(team, "second") or {})["data"] == data
    renamed = team.until("mixtral", "Serving")
    assert renamed["status"]["connectionConfigMap"] == "second"

    team.spec("mixtral", connection=None)
    eventually("the second is gone", lambda: not configmap(team, "second"), within=20, every=0.3)
    bare = team.until("mixtral", "Serving")
    assert "connectionConfigMap" not in bare["status"]


def test_what_somebody_changed_in_it_is_put_back(team: Team) -> None:
    team.apply(connected())
    team.until("mixtral", "Serving")
    before = (configmap(team, "mixtral-connection") or {})["data"]
    team.kubectl(
        "patch", "configmap", "mixtral-connection", "--type=merge",
        "-p", '{"data":{"OPENAI_MODEL":"wrong"}}',
    )  # fmt: skip
    team.annotate("mixtral", "reconcile-requested-at", "now")
    eventually(
        "it is right again",
        lambda: (configmap(team, "mixtral-connection") or {})["data"] == before,
        within=20,
        every=0.3,
    )
    assert team.patches() == []


def test_two_resources_cannot_share_one(team: Team) -> None:
    team.apply(connected("first", to="shared"))
    serving = team.until("first", "Serving")
    team.apply(connected("second", to="shared"))
    team.until("second", "ConnectionConflict")
    assert (configmap(team, "shared") or {})["data"]["OPENAI_MODEL"] == serving["status"]["name"]
