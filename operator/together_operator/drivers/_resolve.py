"""From a model and hardware to the one pair of weights and config that a deployment is made of.

The operator never chooses between two: they differ in what a person cares about, such as the
quantization. One survivor is taken, none or several are refused with what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from together_operator.drivers._advice import with_hardware, with_items
from together_operator.drivers._v2_ways import Way, Ways
from together_operator.resource.hardware import v2_hardware
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Offer, Order, Refused, Unavailable
from together_operator.together import Config, InstanceType, Project, V2Catalogue

_AT_LEAST: Final = "RELATION_GTE"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a deployment is made of, for good.

    Attributes:
        model: Resource name of the weights.
        config: Resource name of the config.
        quantization: How the weights are written; empty where the catalogue does not tell.
        region: Where it has to run, or `None` for anywhere.
    """

    model: str
    config: str
    quantization: str
    region: str | None = None


class Resolver:
    """Finds the recipe of an order, with reads only.

    Args:
        catalogue: What is asked, with the key of one project.
    """

    def __init__(self, catalogue: V2Catalogue) -> None:
        self._ways = Ways(catalogue)
        self._quantizations: dict[tuple[str, str], str] = {}

    async def resolve(self, project: Project, order: Order) -> Recipe | Refused | Unavailable:
        """Find what an order means.

        Args:
            project: The project of the key.
            order: What is asked for.
        """
        ways = await self._ways.of(project, order.model)
        if not isinstance(ways, tuple):
            return ways
        types = await self._ways.types()
        if isinstance(types, Unavailable):
            return types
        left = await self._left(project, order, ways, types)
        if not isinstance(left, tuple):
            return left
        if len(left) > 1:
            return await self._several(order, left)
        (way,) = left
        self._quantizations[way.model, way.config] = way.quantization
        recipe = Recipe(way.model, way.config, way.quantization)
        if order.availability_zone is None:
            return recipe
        return _placed(recipe, order.availability_zone, way.hardware, types)

    def forget(self, project: Project, model: str) -> None:
        """Look a model up again the next time: what was found is not true any more.

        Args:
            project: The project of the key.
            model: The model.
        """
        self._ways.forget(project, model)

    def quantization(self, model: str, config: str) -> str:
        """How weights are written; empty if this process has not resolved them.

        Args:
            model: Resource name of the weights.
            config: Resource name of the config.
        """
        return self._quantizations.get((model, config), "")

    async def offers(self) -> tuple[Offer, ...] | Unavailable:
        """Read all hardware with its prices."""
        types = await self._ways.types()
        return types if isinstance(types, Unavailable) else _offers(types)

    async def offers_for(self, project: Project, model: str) -> tuple[Offer, ...] | Unavailable:
        """Read the hardware that a model can use, none for an unknown one.

        Args:
            project: The project of the key.
            model: The model.
        """
        ways = await self._ways.of(project, model)
        if isinstance(ways, Refused):
            return ()
        if isinstance(ways, Unavailable):
            return ways
        types = await self._ways.types()
        return types if isinstance(types, Unavailable) else _offers(types, ways)

    async def weights(self, project: Project, model: str) -> frozenset[str] | Unavailable:
        """Resource names of the weights that a model stands for, none for an unknown one.

        Args:
            project: The project of the key.
            model: The model.
        """
        ways = await self._ways.of(project, model)
        if isinstance(ways, Unavailable):
            return ways
        return frozenset() if isinstance(ways, Refused) else frozenset(way.model for way in ways)

    async def _left(
        self,
        project: Project,
        order: Order,
        ways: tuple[Way, ...],
        types: tuple[InstanceType, ...],
    ) -> tuple[Way, ...] | Refused | Unavailable:
        """The ways that are as ordered, at least one."""
        chosen = ways
        if order.config is not None:
            named = tuple(way for way in ways if way.config_id == order.config)
            found = named or await self._ways.uncertified(project, ways, order.config)
            if isinstance(found, Unavailable):
                return found
            if not found:
                return await self._no_such_config(order, ways)
            chosen = found
        wanted = v2_hardware(order.hardware)
        left = tuple(way for way in chosen if v2_hardware(way.hardware) == wanted)
        if not left and order.config is not None:
            runs_on = ", ".join(sorted({way.hardware or "unknown hardware" for way in chosen}))
            return Refused(
                Reason.INVALID_HARDWARE,
                f"The config {order.config} of spec.v2.configID runs on {runs_on}, and"
                f" spec.hardware says {order.hardware}. Correct one of the two.",
            )
        if not left:
            refused = Refused(
                Reason.INVALID_HARDWARE,
                f"API v2 has no config that runs {order.model} on {wanted}. Correct spec.hardware.",
            )
            return with_hardware(refused, order.model, _offers(types, ways))
        if order.speculative_decoding is None:
            return left
        return await self._speculating(order, left)

    async def _speculating(
        self, order: Order, ways: tuple[Way, ...]
    ) -> tuple[Way, ...] | Refused | Unavailable:
        """Those with a draft model, or those without, as the order demands."""
        left = []
        for way in ways:
            config = await self._ways.config(way.config)
            if isinstance(config, Unavailable):
                return config
            if config is not None and bool(config.draft_model) is order.speculative_decoding:
                left.append(way)
        if left:
            return tuple(left)
        word, draft = ("Enabled", "with") if order.speculative_decoding else ("Disabled", "without")
        return Refused(
            Reason.UNSUPPORTED,
            f"API v2 has no config {draft} a draft model for {order.model} on"
            f" {v2_hardware(order.hardware)}, so spec.speculativeDecoding cannot be {word}. Remove"
            " it, or choose another spec.hardware or spec.v2.configID.",
        )

    async def _several(self, order: Order, ways: Sequence[Way]) -> Refused:
        refused = Refused(
            Reason.CONFIG_REQUIRED,
            f"API v2 can run {order.model} on {v2_hardware(order.hardware)} in {len(ways)} ways."
            " Set spec.v2.configID to one of their configs.",
        )
        return with_items(refused, "There are: ", [await self._told(way) for way in ways])

    async def _no_such_config(self, order: Order, ways: Iterable[Way]) -> Refused:
        refused = Refused(
            Reason.INVALID_REQUEST,
            f"The config {order.config} of spec.v2.configID is none for {order.model}. Correct it,"
            " or remove it.",
        )
        wanted = v2_hardware(order.hardware)
        told = [await self._told(way) for way in ways if v2_hardware(way.hardware) == wanted]
        return with_items(refused, f"On {wanted} there are: ", told) if told else refused

    async def _told(self, way: Way) -> str:
        """A way in the words by which a person tells it from others."""
        config = await self._ways.config(way.config)
        words = [way.quantization]
        if isinstance(config, Config):
            said = {one.key: one.value for one in config.selectors}
            tuned = said.get("optimization")
            words += [f"tuned for {tuned}"] if tuned else []
            words += ["with draft model" if config.draft_model else "without draft model"]
        text = ", ".join(filter(None, words))
        return f"{way.config_id} ({text})" if text else way.config_id


def _placed(
    recipe: Recipe, zone: str, hardware: str, types: Iterable[InstanceType]
) -> Recipe | Refused:
    """The recipe in the region of a zone."""
    regions = [region.name for one in types if one.name == hardware for region in one.regions]
    region = _region(zone, regions)
    if region is not None:
        return replace(recipe, region=region)
    refused = Refused(
        Reason.UNSUPPORTED,
        f"API v2 places deployments in regions, and none of those that have {hardware} is the one"
        f" of spec.availabilityZone '{zone}'. Correct it, or remove it to let Together choose.",
    )
    return with_items(refused, "Regions: ", sorted(regions)) if regions else refused


def _region(zone: str, regions: Sequence[str]) -> str | None:
    """The region that a zone is, or is in: the zone's name is then its name and a letter."""
    if zone in regions:
        return zone
    return zone[:-1] if zone[-1:].isalpha() and zone[:-1] in regions else None


def _offers(types: Iterable[InstanceType], ways: Iterable[Way] | None = None) -> tuple[Offer, ...]:
    usable = None if ways is None else {way.hardware for way in ways}
    return tuple(
        Offer(one.name, Decimal(one.price_cents_per_hour), _availability(one))
        for one in types
        if one.price_cents_per_hour is not None and (usable is None or one.name in usable)
    )


def _availability(one: InstanceType) -> str | None:
    rooms = [region.headroom for region in one.regions]
    if any(room is not None and (room.value or 0) > 0 for room in rooms):
        return "available"
    told = [room for room in rooms if room is not None and room.value is not None]
    if not told or len(told) < len(rooms) or any(room.relation == _AT_LEAST for room in told):
        return None
    return "unavailable"
