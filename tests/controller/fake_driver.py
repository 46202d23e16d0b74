"""Together in memory, behind the driver's Protocol: one account, and faults on demand."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

from tests.controller.virtual import wall
from together_operator.drivers.v1 import phase_of
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

DOWN = Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
REFUSED_KEY = Unavailable(Reason.UNAUTHORIZED, "Together refused the key")


class FakeDriver:
    """One account.

    Attributes:
        calls: How often each method was called.
        read: The ids that were read one by one.
        sent: When each LIST was sent.
        down: What reads come to instead of an answer.
        priceless: What reading prices comes to instead of an answer.
        creates: What the next creates come to instead of an endpoint.
        losing: For the next creates whose answer is lost, when they take effect: seconds or never.
        closed: Whether what is not to go wrong in another way is refused: v1 is closed.
        most: How many endpoints there ever were at the same time.
        before: Something to do before a method takes effect.
        delay: Seconds that each call takes.
        endpoints: What there is.
        prefix: What the ids of those that are ordered begin with.
    """

    api = Api.V1
    deploys = False
    inference_url = "https://together.test/v1"
    phase = staticmethod(phase_of)

    def __init__(self, prefix: str = "endpoint") -> None:
        self.prefix = prefix
        self._numbers = itertools.count(1)
        self.calls: Counter[str] = Counter()
        self.read: list[str] = []
        self.sent: list[float] = []
        self.down: Unavailable | None = None
        self.priceless: Unavailable | None = None
        self.prices = {"1x_gpu": Decimal(500)}
        self.creates: list[Refused | Ambiguous | NotSent] = []
        self.losing: list[float | None] = []
        self.closed = False
        self.most = 0
        self.unreadable: set[str] = set()
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.delay = 0.05
        self.endpoints: dict[str, Endpoint] = {}

    def put(
        self,
        endpoint_id: str,
        display_name: str = "somebody's",
        *,
        state: str = "STARTED",
        created_at: float | None = None,
    ) -> Endpoint:
        """Have an endpoint there, whoever made it."""
        endpoint = Endpoint(
            id=endpoint_id,
            name=f"acme/{endpoint_id}",
            display_name=display_name,
            model="acme/model",
            hardware="1x_gpu",
            owner="acme",
            state=state,
            phase=Phase[state],
            bounds=Bounds(1, 1),
            ready_replicas=None,
            created_at=wall() if created_at is None else created_at,
        )
        self.endpoints[endpoint_id] = endpoint
        return endpoint

    def turn(self, endpoint_id: str, state: str) -> None:
        """Have an endpoint change its state by itself."""
        old = self.endpoints[endpoint_id]
        self.endpoints[endpoint_id] = replace(old, state=state, phase=Phase[state])

    async def list(self) -> Listing | Unavailable:
        """Every endpoint."""
        date = wall()
        self.sent.append(asyncio.get_running_loop().time())
        await self._begin("list")
        if self.down is not None:
            return self.down
        lines = {
            e.id: Summary(e.id, e.state, e.phase, e.created_at) for e in self.endpoints.values()
        }
        return Listing(lines, date)

    async def get(self, endpoint_id: str) -> Endpoint | Absent | Unavailable:
        """One endpoint."""
        self.read.append(endpoint_id)
        await self._begin("get")
        if self.down is not None:
            return self.down
        if endpoint_id in self.unreadable:
            return Unavailable(Reason.UNREACHABLE, "the answer could not be read")
        return self.endpoints.get(endpoint_id, Absent())

    async def create(
        self, order: Order, *, fence: Callable[[], bool] | None = None
    ) -> Done | Refused | Ambiguous | NotSent:
        """One more endpoint."""
        if fence is not None and not fence():
            return NotSent("too late")
        await self._begin("create")
        if self.creates:
            return self.creates.pop(0)
        if self.losing:
            late = self.losing.pop(0)
            if late is not None:
                asyncio.get_running_loop().call_later(late, self._make, order)
            return Ambiguous("the connection was cut")
        if self.closed:
            return Refused(Reason.V1_CLOSED, "Together has closed API v1")
        return Done(self._make(order))

    def _make(self, order: Order) -> Endpoint:
        made = self.put(f"{self.prefix}-{next(self._numbers)}", order.display_name)
        made = replace(made, model=order.model, hardware=order.hardware, bounds=order.bounds)
        self.endpoints[made.id] = made
        self.most = max(self.most, len(self.endpoints))
        return made

    async def explain(self, order: Order, refused: Refused) -> Refused:
        """Nothing to add."""
        del order
        return refused

    async def update(
        self, endpoint_id: str, change: Change, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Change one."""
        del deployment_id
        await self._begin("update")
        old = self.endpoints.get(endpoint_id)
        if old is None:
            return Absent()
        new = replace(
            old,
            display_name=change.display_name or old.display_name,
            bounds=change.bounds or old.bounds,
        )
        self.endpoints[endpoint_id] = new
        return Done(new)

    async def start(
        self, endpoint_id: str, order: Order, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Start one."""
        del order, deployment_id
        await self._begin("start")
        self.turn(endpoint_id, "STARTED")
        return Done(self.endpoints[endpoint_id])

    async def stop(
        self, endpoint_id: str, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Stop one."""
        del deployment_id
        await self._begin("stop")
        self.turn(endpoint_id, "STOPPED")
        return Done(self.endpoints[endpoint_id])

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable:
        """Remove one."""
        await self._begin("delete")
        return Done() if self.endpoints.pop(endpoint_id, None) else Absent()

    async def probe(self, name: str) -> Done | Refused | Unavailable:
        """It answers."""
        del name
        await self._begin("probe")
        return Done()

    async def offers(self, model: str | None = None) -> tuple[Offer, ...] | Unavailable:
        """What hardware costs."""
        del model
        await self._begin("offers")
        if self.priceless is not None:
            return self.priceless
        return tuple(Offer(name, cents, None) for name, cents in self.prices.items())

    async def _begin(self, verb: str) -> None:
        self.calls[verb] += 1
        await asyncio.sleep(self.delay)
        if verb in self.before:
            await self.before[verb]()
