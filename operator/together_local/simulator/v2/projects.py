"""Projects and the organization that they belong to.

Why: API v2 names its resources below a project's id, while keys know their project by
name; one place translates.
"""

from __future__ import annotations

import hashlib

from together_local.simulator.errors import plain_error
from together_local.simulator.replies import Call
from together_local.simulator.site import Site

ORGANIZATION = {"id": "org-local", "name": "Local organization"}


def project_id(project: str) -> str:
    """Return the id under which the API knows a project."""
    return f"proj_{hashlib.sha256(project.encode()).hexdigest()[:24]}"


def own_project(call: Call, site: Site, *others: str) -> str:
    """Return the id of the project in the path, which must be the caller's.

    Args:
        call: The request.
        site: The assumptions.
        others: Ids of projects that everybody may read.

    Raises:
        ApiError: 403 or 404, when it is another's.
    """
    wanted = call.params["project_id"]
    if wanted in (project_id(call.caller.project), *others):
        return wanted
    raise plain_error(site.assumptions.foreign_endpoint_status)
