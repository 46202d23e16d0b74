"""`spec.adopt` on API v2: an endpoint that is there, and the deployment that serves in it."""

from __future__ import annotations

import pytest

from tests.support.contract import conditions
from tests.support.operator import Object, eventually
from tests.support.team_v2 import TeamV2, bounds, manifest_v2

pytestmark = pytest.mark.timeout(300)


def adopting(endpoint_id: str, name: str = "heir", **spec: object) -> Object:
    """A manifest that takes over an endpoint."""
    return manifest_v2(name, adopt={"endpointID": endpoint_id}, **spec)


def _told(team: TeamV2, words: str) -> Object | None:
    found = team.read("heir")
    return found if words in str(conditions(found)["Ready"]["message"]) else None


def left_behind(team: TeamV2) -> tuple[str, str]:
    """An endpoint that serves and whose resource is gone; its id and its deployment's."""
    team.apply(manifest_v2(deletionPolicy="Retain"))
    serving = team.until("mixtral", "Serving")["status"]
    team.delete()
    team.gone()
    return serving["endpointID"], serving["deployments"][0]["id"]


def test_handed_over_without_anything_being_made(team: TeamV2) -> None:
    home, deployment = left_behind(team)
    orders = (len(team.posts()), len(team.deploys()))
    team.apply(adopting(home))
    found = team.until("heir", "Serving")["status"]
    assert (found["endpointID"], found["adopted"], found["api"]) == (home, True, "V2")
    assert [(d["id"], d["role"]) for d in found["deployments"]] == [(deployment, "Current")]
    assert home in team.until_told("EndpointAdopted", "heir")
    assert (len(team.posts()), len(team.deploys())) == orders

    team.spec("heir", autoscaling={"minReplicas": 2, "maxReplicas": 2})
    team.until("heir", "Serving")
    assert team.deployment()["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}
    team.delete("heir")
    team.gone("heir")
    assert team.deployment()["id"] == deployment, "absent policy is Retain for what was adopted"


def test_made_by_hand_and_taken_over_once_it_is_what_is_asked_for(team: TeamV2) -> None:
    team.apply(manifest_v2())
    team.until("mixtral", "Serving")
    order = next(r["body"] for r in team.deploys() if r["status"] == 200)
    team.delete()
    team.gone()
    made = team.together.create({"name": "by-hand", "project": team.name})["id"]
    team.apply(adopting(made, hardware="1x_nvidia_h100_80gb_sxm"))
    empty = team.until("heir", "AdoptionRefused")
    assert "no deployment" in conditions(empty)["Ready"]["message"]

    inside = {"endpointId": made, "name": "mine", "autoscaling": bounds(1, 1)}
    mine = team.together.create({**inside, "model": order["model"], "config": order["config"]})[
        "id"
    ]
    team.route({mine: 100})
    team.annotate("heir", "reconcile-requested-at", "now")
    refused = eventually("it is looked at again", lambda: _told(team, "its hardware is"))
    assert "nothing was changed" in conditions(refused)["Ready"]["message"]
    assert team.deployment()["autoscaling"] == {"min_replicas": 1, "max_replicas": 1}

    team.spec("heir", hardware="2xnvidia-h100-80gb")
    found = team.until("heir", "Serving")["status"]
    assert found["deployments"][0]["id"] == mine
    assert found["name"] == f"{team.name}/by-hand"
