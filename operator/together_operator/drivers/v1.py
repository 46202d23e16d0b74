"""API v1 behind the driver's Protocol: one object, one state word, no idempotency, no tags."""

from __future__ import annotations

from typing import Final

from together_operator.drivers._advice import (
    refuse,
    unavailable,
    with_hardware,
    with_zones,
    without_answer,
)
from together_operator.drivers._dates import clock, listed_at
from together_operator.drivers._probing import probed
from together_operator.drivers._shared import FRESH, SharedReads
from together_operator.resource.hardware import v1_hardware
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Bounds,
    Change,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Offer,
    Order,
    Phase,
    Refused,
    Summary,
    Unavailable,
)
from together_operator.resource.spec import Api
from together_operator.together import (
    CreateEndpoint,
    DedicatedEndpoint,
    Fence,
    Kind,
    ReplicaBounds,
    UpdateEndpoint,
    V1Client,
    results,
)

_PHASES: Final = {
    "PENDING": Phase.PENDING,
    "STARTING": Phase.STARTING,
    "STARTED": Phase.STARTED,
    # Some of Together's own examples use this word for STARTED. Whether an endpoint answers is
    # proven by the probe in any case, not by the word.
    "READY": Phase.STARTED,
    "STOPPING": Phase.STOPPING,
    "STOPPED": Phase.STOPPED,
    "ERROR": Phase.FAILED,
    "FAILED": Phase.FAILED,
}


def phase_of(state: str) -> Phase:
    """Tell what a state word of v1 means.

    Args:
        state: Together's word; the set is open.
    """
    return _PHASES.get(state.upper(), Phase.UNKNOWN)


class V1Driver:
    """API v1 for one credential.

    Args:
        client: The client of that credential.
    """

    def __init__(self, client: V1Client) -> None:
        self._client = client
        self._offers: SharedReads[str, tuple[Offer, ...] | Unavailable] = SharedReads(
            self._read_offers, good=lambda seen: isinstance(seen, tuple), seconds=FRESH
        )
        self._zones: SharedReads[None, tuple[str, ...] | None] = SharedReads(
            self._read_zones, good=lambda seen: seen is not None, seconds=FRESH
        )

    @property
    def api(self) -> Api:
        """The generation."""
        return Api.V1

    @property
    def deploys(self) -> bool:
        """No: an endpoint of v1 is what runs."""
        return False

    def phase(self, state: str) -> Phase:
        """What a state word means.

        Args:
            state: Together's word, as a status holds it.
        """
        return phase_of(state)

    @property
    def inference_url(self) -> str:
        """On v1, management and inference share a root."""
        return self._client.base_url

    async def list(self) -> Listing | Unavailable:
        """Read every dedicated endpoint of the account, completely or not at all."""
        answer = await self._client.list_endpoints()
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        if not answer.value.complete:
            return unavailable(results.Unavailable("the list came in pages, and only one of them"))
        listed = [item for item in answer.value.data if item.type != "serverless"]
        date = listed_at(answer.date, (item.created_at for item in listed))
        unknown = clock(answer.date)
        summaries = (
            Summary(
                id=item.id,
                state=item.state,
                phase=phase_of(item.state),
                created_at=unknown if item.created_at is None else item.created_at,
            )
            for item in listed
        )
        return Listing(endpoints={summary.id: summary for summary in summaries}, date=date)

    async def get(self, endpoint_id: str) -> Endpoint | Absent | Unavailable:
        """Read one endpoint.

        Args:
            endpoint_id: Together's id.
        """
        answer = await self._client.get_endpoint(endpoint_id)
        match answer:
            case results.Ok():
                return _endpoint(answer.value, answer.date)
            case results.Absent():
                return Absent()
            case _:
                return unavailable(answer)

    async def create(
        self, order: Order, *, fence: Fence | None = None
    ) -> Done | Refused | Ambiguous | NotSent:
        """Make an endpoint: one request, on a fresh connection, never repeated.

        Args:
            order: What to make.
            fence: Asked when the first byte is about to leave; `False` keeps the request here, and
                the result is `NotSent`.
        """
        speculative = order.speculative_decoding
        answer = await self._client.create_endpoint(
            CreateEndpoint(
                model=order.model,
                hardware=v1_hardware(order.hardware),
                autoscaling=_bounds(order.bounds),
                display_name=order.display_name,
                state="STARTED" if order.started else "STOPPED",
                inactive_timeout=order.inactive_timeout_minutes,
                disable_speculative_decoding=None if speculative is None else not speculative,
                availability_zone=order.availability_zone,
            ),
            fence,
        )
        match answer:
            case results.Ok():
                return Done(_endpoint(answer.value, answer.date))
            case results.Refused():
                return refuse(answer)
            case results.Ambiguous():
                return Ambiguous(answer.message)
            case results.NotSent():
                return NotSent(answer.message)

    async def explain(self, order: Order, refused: Refused) -> Refused:
        """Add to a refusal what a person needs: alternatives, availability, prices, zones.

        Args:
            order: What was asked for.
            refused: What Together answered.

        Returns:
            The refusal with more in its message, or as it is where nothing helps or can be read.
        """
        if refused.reason in {Reason.INVALID_HARDWARE, Reason.INVALID_MODEL}:
            offers = await self.offers(order.model)
            if not isinstance(offers, Unavailable):
                return with_hardware(refused, order.model, offers)
        if refused.reason is Reason.INVALID_ZONE:
            zones = await self._zones.get(None)
            if zones:
                return with_zones(refused, zones)
        return refused

    async def update(
        self, endpoint_id: str, change: Change, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Change what can be changed in place.

        Args:
            endpoint_id: Together's id.
            change: What to send; nothing is sent for an empty one.
            deployment_id: None: v1 has no deployments.
        """
        del deployment_id
        if not change:
            return Done()
        request = UpdateEndpoint(
            display_name=change.display_name,
            autoscaling=None if change.bounds is None else _bounds(change.bounds),
            inactive_timeout=change.inactive_timeout_minutes,
        )
        return await self._patch(endpoint_id, request, Reason.UPDATING)

    async def start(
        self, endpoint_id: str, order: Order, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it run.

        Args:
            endpoint_id: Together's id.
            order: The whole order; v1 needs none of it.
            deployment_id: None: v1 has no deployments.
        """
        del order, deployment_id
        return await self._patch(endpoint_id, UpdateEndpoint(state="STARTED"), Reason.STARTING)

    async def stop(
        self, endpoint_id: str, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it stop, keeping it.

        Args:
            endpoint_id: Together's id.
            deployment_id: None: v1 has no deployments.
        """
        del deployment_id
        return await self._patch(endpoint_id, UpdateEndpoint(state="STOPPED"), Reason.STOPPING)

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove it. `Done` is an accepted request, not a proof that it is gone.

        Args:
            endpoint_id: Together's id.
        """
        return _changed(await self._client.delete_endpoint(endpoint_id), Reason.DELETING)

    async def probe(self, name: str) -> Done | Refused | Unavailable:
        """Send one minimal inference request; `Done` means that the model answered.

        Args:
            name: The endpoint's inference name.
        """
        return probed(name, await self._client.probe(name))

    async def offers(self, model: str | None = None) -> tuple[Offer, ...] | Unavailable:
        """Read hardware and prices, limited to what the model can use if one is named.

        Shared between all callers, and read at most every six hours; a failure is not kept.

        Args:
            model: The model, or `None` for all hardware, then without availability.

        Returns:
            The offers, none of them if Together has no hardware for the model.
        """
        return await self._offers.get(model or "")

    async def _read_offers(self, model: str) -> tuple[Offer, ...] | Unavailable:
        answer = await self._client.list_hardware(model or None)
        if isinstance(answer, results.Refused) and model and answer.kind in _UNKNOWN_MODEL:
            return ()
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        return tuple(
            Offer(
                hardware=hardware.id,
                cents_per_hour=hardware.pricing.cents_per_minute * 60,
                availability=(hardware.availability and hardware.availability.status) or None,
            )
            for hardware in answer.value.data
            if hardware.pricing is not None
        )

    async def _read_zones(self, _: None) -> tuple[str, ...] | None:
        answer = await self._client.list_availability_zones()
        return answer.value if isinstance(answer, results.Ok) else None

    async def _patch(
        self, endpoint_id: str, request: UpdateEndpoint, busy: Reason
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        return _changed(await self._client.update_endpoint(endpoint_id, request), busy)


_UNKNOWN_MODEL: Final = frozenset({Kind.BAD_MODEL, Kind.NOT_FOUND})


def _changed(
    answer: results.Ok[DedicatedEndpoint]
    | results.Ok[None]
    | results.Refused
    | results.Absent
    | results.Unavailable
    | results.NotSent,
    busy: Reason,
) -> Done | Refused | Absent | Unavailable | NotSent:
    match answer:
        case results.Ok(value=DedicatedEndpoint() as value):
            return Done(_endpoint(value, answer.date))
        case results.Ok():
            return Done()
        case results.Refused():
            return refuse(answer, busy)
        case _:
            return without_answer(answer)


def _bounds(bounds: Bounds) -> ReplicaBounds:
    return ReplicaBounds(min_replicas=bounds.min, max_replicas=bounds.max)


def _endpoint(seen: DedicatedEndpoint, date: float | None) -> Endpoint:
    return Endpoint(
        id=seen.id,
        name=seen.name,
        display_name=seen.display_name,
        model=seen.model,
        hardware=seen.hardware,
        owner=seen.owner,
        state=seen.state,
        phase=phase_of(seen.state),
        bounds=Bounds(seen.autoscaling.min_replicas, seen.autoscaling.max_replicas),
        ready_replicas=seen.autoscaling.ready_replicas,
        created_at=clock(date) if seen.created_at is None else seen.created_at,
    )
