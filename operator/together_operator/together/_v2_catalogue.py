"""What API v2 can deploy, on what, where, for how much, and whose key this is.

No single call of v2 goes from a model and hardware to what a deployment needs; these are the reads
that the search is made of.
"""

from __future__ import annotations

from together_operator.together._credential import Credential
from together_operator.together._ids import NO_SUCH_ID, are_ids
from together_operator.together._pages import read_pages
from together_operator.together._schema import reader
from together_operator.together._schema_v2_catalogue import (
    Config,
    InstanceType,
    PlacementProfile,
    Project,
    ProjectModel,
    Revision,
    SupportedModel,
    WhoAmI,
)
from together_operator.together._verbs import Account
from together_operator.together._wire import Call, Wire
from together_operator.together.results import Absent, Ok, Refused, Unavailable


class V2Catalogue:
    """The read-only routes of API v2 for one credential.

    Args:
        wire: The connections, shared by all clients.
        credential: Whose key the calls carry.
    """

    def __init__(self, wire: Wire, credential: Credential) -> None:
        self._account = Account(wire, credential)

    async def whoami(self) -> Ok[WhoAmI] | Refused | Absent | Unavailable:
        """`GET /v3/whoami`."""
        return await self._account.read(Call("GET", "/v3/whoami", at_root=True), reader(WhoAmI))

    async def list_projects(self) -> Ok[tuple[Project, ...]] | Refused | Absent | Unavailable:
        """`GET /v1/projects`: what a key may see that names no project of its own."""
        return await read_pages(self._account, Call("GET", "/v1/projects", at_root=True), Project)

    async def search_models(
        self, search: str
    ) -> Ok[tuple[SupportedModel, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/supported-models`, all pages. It finds parts of names as well.

        Args:
            search: A model's name.
        """
        call = Call("GET", "/v2/supported-models", params={"search": search}, at_root=True)
        return await read_pages(self._account, call, SupportedModel)

    async def list_models(
        self, project: str
    ) -> Ok[tuple[ProjectModel, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/models`: its own, all pages.

        Args:
            project: The project's id.
        """
        if not are_ids(project):
            return NO_SUCH_ID
        return await read_pages(self._account, _of(project, "models"), ProjectModel)

    async def get_model(
        self, project: str, model_id: str
    ) -> Ok[ProjectModel] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/models/{id}`.

        Args:
            project: The id of the project that owns it.
            model_id: Its id.
        """
        if not are_ids(project, model_id):
            return NO_SUCH_ID
        call = _of(project, "models/{id}", model_id)
        return await self._account.read(call, reader(ProjectModel))

    async def list_revisions(
        self, project: str, model_id: str
    ) -> Ok[tuple[Revision, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/models/{id}/revisions`, all pages.

        Args:
            project: The id of the project that owns it.
            model_id: Its id.
        """
        if not are_ids(project, model_id):
            return NO_SUCH_ID
        return await read_pages(
            self._account, _of(project, "models/{id}/revisions", model_id), Revision
        )

    async def list_configs(
        self, project: str, reference_model: str
    ) -> Ok[tuple[Config, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/configs` of one model, all pages.

        Args:
            project: The caller's project.
            reference_model: Resource name of the weights, without a revision.
        """
        if not are_ids(project):
            return NO_SUCH_ID
        params = {"referenceModel": reference_model}
        return await read_pages(self._account, _of(project, "configs", params=params), Config)

    async def get_config(
        self, project: str, config_id: str
    ) -> Ok[Config] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/configs/{id}`.

        Args:
            project: The id of the project that owns it.
            config_id: Its id.
        """
        if not are_ids(project, config_id):
            return NO_SUCH_ID
        return await self._account.read(_of(project, "configs/{id}", config_id), reader(Config))

    async def list_instance_types(
        self,
    ) -> Ok[tuple[InstanceType, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/public/inference-instance-types`: hardware, prices, regions."""
        call = Call("GET", "/v2/public/inference-instance-types", at_root=True)
        return await read_pages(self._account, call, InstanceType)

    async def list_placement_profiles(
        self, project: str
    ) -> Ok[tuple[PlacementProfile, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/placement-profiles`, all pages.

        Args:
            project: The project's id.
        """
        if not are_ids(project):
            return NO_SUCH_ID
        return await read_pages(self._account, _of(project, "placement-profiles"), PlacementProfile)


def _of(project: str, route: str, about: str = "", params: dict[str, str] | None = None) -> Call:
    return Call(
        "GET",
        f"/v2/projects/{{project}}/{route}",
        id=about,
        params=params,
        within={"project": project},
        at_root=True,
    )
