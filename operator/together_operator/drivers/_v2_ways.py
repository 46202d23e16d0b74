"""Every way in which API v2 can run a model: pairs of weights and config that it certifies.

No call of v2 takes a model and hardware. What is public is found by the profiles of the catalogue,
what a project owns by the configs of the model that it derives from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from together_operator.drivers._advice import unavailable, with_items
from together_operator.drivers._shared import FRESH, SharedReads
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused, Unavailable
from together_operator.together import (
    Config,
    InstanceType,
    Profile,
    Project,
    ProjectModel,
    SupportedModel,
    V2Catalogue,
    results,
)

_CONFIG: Final = re.compile(r"projects/([^/]+)/configs/([^/]+)")
_REVISION: Final = re.compile(r"/revisions/[^/]+$")
_VALIDATED: Final = "SUCCESS"
_PENDING: Final = "PENDING"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a model.

    Attributes:
        model: Resource name of the weights, with the revision where one is certified.
        config: Resource name of the config.
        hardware: The instance type that the config needs; empty where nothing tells.
        quantization: How the weights are written; empty where nothing tells.
    """

    model: str
    config: str
    hardware: str
    quantization: str = ""

    @property
    def config_id(self) -> str:
        """The config's id."""
        return self.config.rsplit("/", 1)[-1]


class Ways:
    """Finds them, and remembers what it found.

    Args:
        catalogue: What is asked, with the key of one project.
    """

    def __init__(self, catalogue: V2Catalogue) -> None:
        self._catalogue = catalogue
        self._found: SharedReads[tuple[Project, str], tuple[Way, ...] | Refused | Unavailable] = (
            SharedReads(self._find, good=lambda seen: isinstance(seen, tuple), seconds=FRESH)
        )
        self._configs: SharedReads[str, Config | Unavailable | None] = SharedReads(
            self._read_config, good=lambda seen: isinstance(seen, Config), seconds=FRESH, most=1024
        )
        self._types: SharedReads[None, tuple[InstanceType, ...] | Unavailable] = SharedReads(
            self._read_types, good=lambda seen: isinstance(seen, tuple), seconds=FRESH
        )

    async def of(self, project: Project, model: str) -> tuple[Way, ...] | Refused | Unavailable:
        """Find every way to run a model, at least one.

        Args:
            project: The project of the key.
            model: A public model, or one of the project by name (with its slug or without) or id.
        """
        return await self._found.get((project, model))

    def forget(self, project: Project, model: str) -> None:
        """Look again the next time; arguments as for `of`."""
        self._found.forget((project, model))

    async def config(self, resource: str) -> Config | Unavailable | None:
        """Read a config; `None` if it cannot be found.

        Args:
            resource: Its resource name.
        """
        return await self._configs.get(resource)

    async def types(self) -> tuple[InstanceType, ...] | Unavailable:
        """Read hardware, prices and regions."""
        return await self._types.get(None)

    async def uncertified(
        self, project: Project, ways: Iterable[Way], config_id: str
    ) -> tuple[Way, ...] | Unavailable:
        """Find a config that no profile names, but that is made for the weights of one.

        Args:
            project: The project of the key.
            ways: What is certified for the model.
            config_id: The config.
        """
        found = []
        for model, quantization in {way.model: way.quantization for way in ways}.items():
            listed = await self._made_for(project, _REVISION.sub("", model))
            if isinstance(listed, Unavailable):
                return listed
            found += [
                Way(model, _resource(project, one), one.hardware, quantization)
                for one in listed
                if one.id == config_id
            ]
        return tuple(found)

    async def _read_config(self, resource: str) -> Config | Unavailable | None:
        match = _CONFIG.fullmatch(resource)
        if match is None:
            return None
        answer = await self._catalogue.get_config(match[1], match[2])
        if isinstance(answer, results.Ok):
            return answer.value
        return unavailable(answer) if isinstance(answer, results.Unavailable) else None

    async def _read_types(self, _: None) -> tuple[InstanceType, ...] | Unavailable:
        answer = await self._catalogue.list_instance_types()
        return answer.value if isinstance(answer, results.Ok) else unavailable(answer)

    async def _find(self, key: tuple[Project, str]) -> tuple[Way, ...] | Refused | Unavailable:
        project, model = key
        by_id = model.startswith("ml_")
        own_first = by_id or model.startswith(f"{project.slug}/")
        if own_first:
            own = await self._of_project(project, model, by_id=by_id)
            if own is not None:
                return own
        answer = await self._catalogue.search_models(model)
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        profiles = _exact(answer.value, model)
        if profiles:
            return await self._of_profiles(profiles)
        if not own_first:
            own = await self._of_project(project, model, by_id=False)
            if own is not None:
                return own
        return _unknown(project, model, answer.value)

    # Public models.

    async def _of_profiles(
        self, profiles: Iterable[Profile]
    ) -> tuple[Way, ...] | Refused | Unavailable:
        types = await self.types()
        if isinstance(types, Unavailable):
            return types
        names = {one.name for one in types}
        found = {}
        for profile in profiles:
            hardware = f"{profile.gpu_count}x{profile.gpu_type}"
            if hardware not in names:
                # The profile has another spelling; the config's own is that of the price list.
                config = await self.config(profile.config)
                if isinstance(config, Unavailable):
                    return config
                hardware = config.hardware if config is not None else ""
            way = Way(profile.model, profile.config, hardware, profile.quantization)
            found[way.model, way.config] = way
        return tuple(found.values())

    # A project's own.

    async def _of_project(
        self, project: Project, model: str, *, by_id: bool
    ) -> tuple[Way, ...] | Refused | Unavailable | None:
        own = await self._own_model(project, model, by_id=by_id)
        if own is None or isinstance(own, Unavailable):
            return own
        owner = own.project_id or project.id
        resource = f"projects/{owner}/models/{own.id}"
        revision = await self._revision(owner, own)
        if not isinstance(revision, str):
            return revision
        for reference in filter(None, (_REVISION.sub("", own.base_model), resource)):
            configs = await self._made_for(project, reference)
            if isinstance(configs, Unavailable):
                return configs
            if configs:
                pinned = f"{resource}/revisions/{revision}"
                return tuple(Way(pinned, _resource(project, one), one.hardware) for one in configs)
        return Refused(
            Reason.INVALID_MODEL,
            f"API v2 has no config for {own.name or own.id}, neither for the model that it derives"
            " from nor for itself. Correct spec.model to one that derives from a supported model.",
        )

    async def _own_model(
        self, project: Project, model: str, *, by_id: bool
    ) -> ProjectModel | Unavailable | None:
        if by_id:
            one = await self._catalogue.get_model(project.id, model)
            match one:
                case results.Ok():
                    return one.value
                case results.Unavailable():
                    return unavailable(one)
                case _:
                    return None
        answer = await self._catalogue.list_models(project.id)
        match answer:
            case results.Ok():
                slug = f"{project.slug}/"
                wanted = model.removeprefix(slug)
                named = (own for own in answer.value if own.name.removeprefix(slug) == wanted)
                return next(named, None)
            case results.Absent() | results.Refused(status=404):
                return None
            case _:
                return unavailable(answer)

    async def _revision(self, owner: str, own: ProjectModel) -> str | Refused | Unavailable:
        answer = await self._catalogue.list_revisions(owner, own.id)
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        validated = [one for one in answer.value if one.validation_status.endswith(_VALIDATED)]
        if validated:
            return max(validated, key=lambda one: one.created_at or 0.0).revision_id
        statuses = sorted({one.validation_status for one in answer.value})
        pending = any(status.endswith(_PENDING) for status in statuses)
        then = "It is looked at again by itself." if pending else "Upload weights that are valid."
        return Refused(
            Reason.INVALID_MODEL,
            f"Together has validated no revision of {own.name or own.id}"
            f" ({', '.join(statuses) or 'there is none'}). {then}",
            retryable=pending,
        )

    async def _made_for(self, project: Project, reference: str) -> tuple[Config, ...] | Unavailable:
        answer = await self._catalogue.list_configs(project.id, reference)
        match answer:
            case results.Ok():
                return answer.value
            case results.Absent() | results.Refused(status=400 | 404):
                return ()
            case _:
                return unavailable(answer)


def _exact(found: Iterable[SupportedModel], model: str) -> list[Profile]:
    """The profiles of exactly this name, else those of the architecture of this name."""
    found = list(found)
    profiles = [
        profile
        for one in found
        for profile in one.deployment_profiles
        if profile.model_name == model
    ] or [profile for one in found if one.name == model for profile in one.deployment_profiles]
    return [profile for profile in profiles if profile.model and profile.config]


def _unknown(project: Project, model: str, found: Iterable[SupportedModel]) -> Refused:
    found = list(found)
    if any(one.name == model for one in found):
        return Refused(
            Reason.INVALID_MODEL,
            f"API v2 knows {model} and has no certified config to deploy it with. Correct"
            " spec.model to a model that can be deployed, or set spec.api to V1 where the account"
            " has it.",
        )
    refused = Refused(
        Reason.INVALID_MODEL,
        f"API v2 has no model {model}: neither its catalogue nor the project {project.slug} has one"
        " of exactly this name; not every model of API v1 is there. Correct spec.model.",
    )
    names = {p.model_name or one.name for one in found for p in one.deployment_profiles}
    return with_items(refused, "Names like it: ", sorted(names)) if names else refused


def _resource(project: Project, config: Config) -> str:
    return f"projects/{config.project_id or project.id}/configs/{config.id}"
