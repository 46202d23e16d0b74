"""What the simulated Together offers: hardware, zones and models.

Why: refusals (unknown model, hardware that a model does not fit, a zone without a
GPU) only mean something against a catalogue. Prices, ids and zones are those that
the public API and its documentation showed in autumn 2026; the set of models is a
sample of the real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Gpu:
    """One kind of accelerator.

    Attributes:
        slug: Its part of a hardware id.
        short: How the API's ``specs.gpu_type`` names it.
        memory_gb: Memory of one GPU.
        cents_per_minute: Price of one GPU; prices are linear in the GPU count.
    """

    slug: str
    short: str
    memory_gb: int
    cents_per_minute: float


H100 = Gpu("nvidia_h100_80gb_sxm", "h100-80gb", 80, 9.0)
H200 = Gpu("nvidia_h200_140gb_sxm", "h200-140gb", 140, 11.0)
B200 = Gpu("nvidia_b200_180gb_sxm", "b200-180gb", 180, 15.0)


@dataclass(frozen=True)
class Hardware:
    """One replica's hardware."""

    gpu: Gpu
    count: int

    @property
    def id(self) -> str:
        """The hardware id, such as ``2x_nvidia_h100_80gb_sxm``."""
        return f"{self.count}x_{self.gpu.slug}"

    @property
    def cents_per_minute(self) -> float:
        """Price of one running replica in US cents."""
        return self.gpu.cents_per_minute * self.count


HARDWARE: dict[str, Hardware] = {
    hardware.id: hardware
    for gpu in (H100, H200, B200)
    for count in (1, 2, 4, 8)
    for hardware in (Hardware(gpu, count),)
}

#: Availability zones, each with the GPUs that stand there.
ZONES: dict[str, frozenset[Gpu]] = {
    "us-central-4b": frozenset({H100, H200, B200}),
    "us-east-1a": frozenset({H100, H200}),
    "us-west-2b": frozenset({H100}),
}


class ModelType(StrEnum):
    """What a model answers."""

    CHAT = "chat"
    LANGUAGE = "language"
    EMBEDDING = "embedding"


@dataclass(frozen=True)
class Model:
    """A model that can be deployed on a dedicated endpoint.

    Attributes:
        id: Its id, such as ``mistralai/Mixtral-8x7B-Instruct-v0.1``.
        type: What it answers.
        context: Context length in tokens.
        min_gb: GPU memory that a replica needs.
        counts: GPU counts that are offered for it.
        serverless: Whether Together also serves it without a dedicated endpoint.
    """

    id: str
    type: ModelType
    context: int
    min_gb: int
    counts: tuple[int, ...] = (1, 2, 4, 8)
    serverless: bool = False

    @property
    def organization(self) -> str:
        """Whose model it is."""
        return self.id.split("/", 1)[0]

    def runs_on(self, hardware: Hardware) -> bool:
        """Tell whether the model is offered on ``hardware``."""
        return (
            hardware.count in self.counts and hardware.gpu.memory_gb * hardware.count >= self.min_gb
        )


_CHAT = ModelType.CHAT
MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        Model("meta-llama/Llama-3.3-70B-Instruct-Turbo", _CHAT, 131072, 130, serverless=True),
        Model("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", _CHAT, 131072, 40, (1, 2)),
        Model("meta-llama/Llama-4-Scout-17B-16E-Instruct", _CHAT, 1048576, 300, (4, 8)),
        Model("mistralai/Mixtral-8x7B-Instruct-v0.1", _CHAT, 32768, 120, (1, 2, 4)),
        Model("mistralai/Mistral-7B-Instruct-v0.3", _CHAT, 32768, 40, (1, 2)),
        Model("Qwen/Qwen2.5-7B-Instruct-Turbo", _CHAT, 32768, 40, (1, 2), serverless=True),
        Model("Qwen/Qwen2.5-72B-Instruct-Turbo", _CHAT, 131072, 160, (2, 4, 8)),
        Model("Qwen/Qwen2.5-Coder-32B-Instruct", _CHAT, 16384, 80, (1, 2, 4)),
        Model("Qwen/Qwen3-235B-A22B-Instruct-2507-tput", _CHAT, 262144, 500, (4, 8)),
        Model("deepseek-ai/DeepSeek-V3", _CHAT, 131072, 700, (8,)),
        Model("openai/gpt-oss-20b", _CHAT, 131072, 40, (1, 2), serverless=True),
        Model("openai/gpt-oss-120b", _CHAT, 131072, 80, (1, 2, 4)),
        Model("mistralai/Mixtral-8x7B-v0.1", ModelType.LANGUAGE, 32768, 120, (1, 2, 4)),
        Model("intfloat/multilingual-e5-large-instruct", ModelType.EMBEDDING, 514, 8, (1,)),
    )
}


def hardware_for(model: Model) -> list[Hardware]:
    """Return the hardware that ``model`` is offered on, in the catalogue's order."""
    return [hardware for hardware in HARDWARE.values() if model.runs_on(hardware)]
