"""Who the key is, and which models there are.

Why: the official clients ask before they act: the command line of version 2 looks
up the key's project first, and both generations list models.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from together_local.simulator.catalogue import MODELS, Model
from together_local.simulator.faults import Operation
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.v2.projects import ORGANIZATION, project_id
from together_local.simulator.world import World


def routes(world: World) -> list[Route]:
    """Return the routes of a world."""
    return [
        Route("GET", "/v1/whoami", Operation.LOOKUP, whoami_v1),
        Route("GET", "/v3/whoami", Operation.LOOKUP, partial(whoami_v3, world)),
        Route("GET", "/v1/projects", Operation.LOOKUP, projects),
        Route("GET", "/v1/models", Operation.LOOKUP, models),
        Route("GET", "/v1/autoscale/models", Operation.LOOKUP, dedicated_models),
    ]


def whoami_v1(call: Call) -> Reply:
    """GET /v1/whoami, the flat form."""
    project = call.caller.project
    return Reply(
        200,
        {
            "api_key_id": call.caller.key_id,
            "organization_id": ORGANIZATION["id"],
            "organization_name": ORGANIZATION["name"],
            "project_id": project_id(project),
            "project_name": project,
            "project_slug": project,
        },
    )


def whoami_v3(world: World, call: Call) -> Reply:
    """GET /v3/whoami: of a key that is bound to a project, or to the organization alone."""
    kind = world.site.assumptions.whoami_key_type
    told: dict[str, Any] = {
        "type": kind,
        "api_key": {"id": call.caller.key_id},
        "organization": dict(ORGANIZATION),
    }
    if kind == "project_api_key":
        project = call.caller.project
        told["project"] = {"id": project_id(project), "name": project, "slug": project}
    return Reply(200, told)


def projects(call: Call) -> Reply:
    """GET /v1/projects: the one that the key belongs to."""
    project = call.caller.project
    entry = {
        "id": project_id(project),
        "name": project,
        "slug": project,
        "organization_id": ORGANIZATION["id"],
        "organization_name": ORGANIZATION["name"],
    }
    return Reply(200, {"object": "list", "data": [entry], "next_cursor": None})


def models(call: Call) -> Reply:
    """GET /v1/models: a bare array, not a list object."""
    dedicated_only = call.query.get("dedicated", "").lower() == "true"
    return Reply(
        200,
        [_described(model) for model in MODELS.values() if model.serverless or dedicated_only],
    )


def dedicated_models(call: Call) -> Reply:
    """GET /v1/autoscale/models, by which version 1 of the client finds dedicated models."""
    return Reply(200, [{"name": model.id} for model in MODELS.values()])


def _described(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 1735689600,
        "type": model.type.value,
        "display_name": model.id.split("/", 1)[1],
        "organization": model.organization,
        "context_length": model.context,
        "pricing": {"base": 0, "finetune": 0, "hourly": 0, "input": 0, "output": 0},
    }
