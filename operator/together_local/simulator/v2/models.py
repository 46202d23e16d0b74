"""Weights, configs and certified profiles: what API v2 can deploy.

Why: v2 takes no pair of model and hardware but a weight build and a recipe, which the
client has to find. The catalogue is a sample that has every case of the search in it:
one survivor, several that differ by quantization or by optimization, a profile that
is only found by its architecture, no profile at all, and models that v1 has and v2
has not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from together_local.simulator.catalogue import MODELS, Hardware, Model, ModelType, hardware_for
from together_local.simulator.v2.hardware import InstanceType, instance_type


def _id(prefix: str, text: str) -> str:
    return f"{prefix}_{hashlib.sha256(f'{prefix} {text}'.encode()).hexdigest()[:20]}"


#: The project of Together's own that public weights and recipes belong to.
PLATFORM = _id("proj", "together platform")

SUCCESS = "SUCCESS"


@dataclass
class Revision:
    """One state of a model's weights.

    Attributes:
        id: Its id.
        created_at: Simulated unix seconds.
        validation: PENDING, SUCCESS, FAILED or ERROR.
    """

    id: str
    created_at: float
    validation: str = SUCCESS


@dataclass
class Weights:
    """A weight build: a public one, or a project's own.

    Attributes:
        id: Its id.
        name: Its name with that of its publisher or project before it.
        project_id: Whose it is.
        model: What it answers and needs.
        quantization: How its numbers are written.
        base: What it was derived from.
        revisions: Its states, the newest last.
    """

    id: str
    name: str
    project_id: str
    model: Model
    quantization: str
    base: Weights | None = None
    revisions: list[Revision] = field(default_factory=list)

    @property
    def resource(self) -> str:
        """Its resource name, without a revision."""
        return f"projects/{self.project_id}/models/{self.id}"

    def pinned(self, revision: str) -> str:
        """Its resource name with a revision."""
        return f"{self.resource}/revisions/{revision}"


@dataclass(frozen=True)
class Config:
    """An immutable recipe for a weight build.

    Attributes:
        id: Its id.
        reference: Id of the public build that it is made for.
        instance: What a replica runs on.
        optimization: What it is tuned for.
        draft: Resource name of the draft model, where it decodes speculatively.
    """

    id: str
    reference: str
    instance: InstanceType
    optimization: str
    draft: str | None

    @property
    def resource(self) -> str:
        """Its resource name."""
        return f"projects/{PLATFORM}/configs/{self.id}"


@dataclass(frozen=True)
class _Build:
    suffix: str
    quantization: str
    recipes: tuple[tuple[str, bool], ...] = (("balanced", False),)


#: Weight builds of the models that have not just one, each with its recipes: what they are
#: tuned for, and whether they use a draft model.
_BUILDS: dict[str, tuple[_Build, ...]] = {
    "openai/gpt-oss-120b": (_Build("", "MXFP4", (("latency", True), ("throughput", False))),),
    "Qwen/Qwen2.5-72B-Instruct-Turbo": (_Build("-BF16", "BF16"), _Build("-FP8", "FP8")),
    "deepseek-ai/DeepSeek-V3": (_Build("-FP8", "FP8"),),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": (_Build("", "FP8", (("latency", True),)),),
    "mistralai/Mixtral-8x7B-v0.1": (),
}
_ONE = (_Build("", "BF16"),)

#: Models of v1 that v2 does not know.
_MISSING = frozenset({"meta-llama/Llama-3.3-70B-Instruct-Turbo", "Qwen/Qwen2.5-7B-Instruct-Turbo"})


@dataclass(frozen=True)
class Architecture:
    """An entry of the catalogue of supported models."""

    model: Model
    builds: tuple[Weights, ...]
    configs: tuple[Config, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return _id("arch", self.model.id)

    def matches(self, search: str) -> bool:
        """Tell whether a search finds it: by its id, its name or the name of a build."""
        texts = (self.id, self.model.id, *(build.name for build in self.builds))
        return any(search.lower() in text.lower() for text in texts)


class Catalogue:
    """Everything that can be deployed.

    Args:
        now: When it begins, in simulated unix seconds.
    """

    def __init__(self, now: float) -> None:
        self.since = now
        self.weights: dict[str, Weights] = {}
        self.configs: dict[str, Config] = {}
        self.architectures = [
            self._architecture(model) for model in MODELS.values() if model.id not in _MISSING
        ]

    def of_project(self, project_id: str) -> list[Weights]:
        """Return a project's own models, the newest first."""
        own = [weights for weights in self.weights.values() if weights.project_id == project_id]
        return own[::-1]

    def add(self, weights: Weights) -> None:
        """Add a project's own model, fine-tuned or uploaded."""
        self.weights[weights.id] = weights

    def find(self, name: str) -> Weights | None:
        """Return the weights of a resource name, an id or a name."""
        for weights in self.weights.values():
            if name in (weights.resource, weights.id, weights.name):
                return weights
        architecture = next((a for a in self.architectures if a.model.id == name), None)
        return architecture.builds[0] if architecture and architecture.builds else None

    def configs_for(self, reference: str) -> list[Config]:
        """Return the recipes that are made for a weight build of this id."""
        return [config for config in self.configs.values() if config.reference == reference]

    def fits(self, config: Config, weights: Weights) -> bool:
        """Tell whether a recipe is for these weights or for what they were derived from."""
        at: Weights | None = weights
        while at is not None:
            if at.id == config.reference:
                return True
            at = at.base
        return False

    def _architecture(self, model: Model) -> Architecture:
        pairs = [(build, self._weights(model, build)) for build in _BUILDS.get(model.id, _ONE)]
        configs = [
            self._config(weights, hardware, recipe)
            for build, weights in pairs
            for hardware in hardware_for(model)
            for recipe in build.recipes
        ]
        return Architecture(model, tuple(weights for _, weights in pairs), tuple(configs))

    def _weights(self, model: Model, build: _Build) -> Weights:
        name = model.id + build.suffix
        revision = Revision(_id("rv", name), self.since - 30 * 86400)
        weights = Weights(
            _id("ml", name), name, PLATFORM, model, build.quantization, revisions=[revision]
        )
        self.weights[weights.id] = weights
        return weights

    def _config(self, weights: Weights, hardware: Hardware, recipe: tuple[str, bool]) -> Config:
        optimization, drafts = recipe
        instance = instance_type(hardware)
        draft = f"projects/{PLATFORM}/models/{_id('ml', weights.name + ' draft')}"
        config = Config(
            _id("cr", f"{weights.name} {instance.name} {optimization}"),
            weights.id,
            instance,
            optimization,
            draft if drafts else None,
        )
        self.configs[config.id] = config
        return config


CAPABILITIES = {
    ModelType.CHAT: ["CAPABILITY_CHAT"],
    ModelType.LANGUAGE: [],
    ModelType.EMBEDDING: ["CAPABILITY_EMBEDDING"],
}
