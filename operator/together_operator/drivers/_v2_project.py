"""Which project a key works in: every path of API v2 begins with one."""

from __future__ import annotations

from together_operator.drivers._advice import unavailable
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Unavailable
from together_operator.together import Project, V2Catalogue, results


async def find_project(catalogue: V2Catalogue) -> Project | Unavailable:
    """Find the project of a key, or the only one that it may use.

    Args:
        catalogue: Asks with that key.
    """
    me = await catalogue.whoami()
    if isinstance(me, results.Ok) and me.value.project is not None:
        return me.value.project
    # The route is a young one. Where it is missing, the list of projects tells the same of a key
    # that has just one.
    missing = isinstance(me, results.Refused | results.Absent) and not _about_the_key(me)
    if not isinstance(me, results.Ok) and not missing:
        return unavailable(me)
    listed = await catalogue.list_projects()
    if not isinstance(listed, results.Ok):
        return unavailable(listed)
    if len(listed.value) == 1:
        return listed.value[0]
    names = ", ".join(sorted(one.slug for one in listed.value)[:5])
    found = f"may use {len(listed.value)} projects ({names})" if names else "names no project"
    return Unavailable(
        Reason.FORBIDDEN,
        f"The API key {found}, and endpoints of API v2 belong to one project. Put a key of the one"
        " project into the Secret that spec.apiKeySecretRef names; it is read again by itself.",
    )


def _about_the_key(answer: results.Refused | results.Absent) -> bool:
    return isinstance(answer, results.Refused) and answer.status != 404
