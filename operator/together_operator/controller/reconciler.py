"""Reconcile: one resource, from what it says to what is true, one step at a time.

Level-based: it reads the resource fresh, looks, decides, does at most one thing, writes down what
came of it, and starts over until there is nothing to do. What triggered it does not matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from together_operator.controller import connection, stories
from together_operator.controller.effects import Effects, KeyGone
from together_operator.controller.events import Recorder
from together_operator.controller.kube_errors import (
    Conflict,
    Forbidden,
    KubeError,
    KubeUnavailable,
    NotFound,
    Rejected,
)
from together_operator.controller.observer import Observer
from together_operator.controller.queue import Key
from together_operator.controller.readable import readable
from together_operator.controller.roster import Entry, Roster
from together_operator.core.case import Case
from together_operator.core.creating import write_down
from together_operator.core.decide import decide
from together_operator.core.learning import (
    Outcome,
    begin,
    learn,
    own_write,
)
from together_operator.core.memory import Memory
from together_operator.core.noticing import replace_memory
from together_operator.core.report import GRACED, report
from together_operator.core.steps import (
    Consume,
    Decision,
    FindDefinition,
    FindOwner,
    Finish,
    KeepKey,
    Prepare,
    Publish,
    Record,
    Reserve,
    Step,
    Wait,
)
from together_operator.core.uprooting import uprooted
from together_operator.metrics import Metrics
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Done, Phase, Refused

log = logging.getLogger(__name__)

_MAX_STEPS = 64
"""Steps in one reconcile, after which others get their turn."""

_PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries to write a status, within what a shutdown allows."""

Body = dict[str, Any]

PERSON = frozenset({"create", "update", "stop", "delete"})
"""Triggers that are events of the resource, and so a reason to read its Secret again."""


class Unsettled(Exception):  # noqa: N818 (it tells what happened)
    """A resource took as many steps as one turn allows, and is not done yet."""


class _Known(NamedTuple):
    """What is remembered of a resource, and of which: the same name may be another one later."""

    uid: str
    memory: Memory


@dataclass(slots=True)
class Reconciler:
    """The one function that everything leads to, and what it needs.

    Attributes:
        effects: Carries out steps.
        observer: Puts together what has been seen.
        roster: Which resources there are.
        recorder: Writes events.
        metrics: Counts.
        enqueue: Has another resource worked on.
        key_pause: Seconds until a missing key is looked for again.
        stopping: Whether nothing new may be begun, because the operator ends or leads no more.
    """

    effects: Effects
    observer: Observer
    roster: Roster
    recorder: Recorder
    metrics: Metrics
    enqueue: Callable[[Key, str], None]
    key_pause: float
    stopping: Callable[[], bool]
    _known: dict[Key, _Known] = field(default_factory=dict)

    async def reconcile(self, key: Key, triggers: Collection[str]) -> float | None:
        """Work on one resource until there is nothing to do.

        Args:
            key: The resource.
            triggers: Why it is looked at.

        Returns:
            Seconds until another look is worth it; `None` if only a change can tell.

        Raises:
            KubeError: The cluster did not answer, or refuses; the caller tries again later.
            Unsettled: It is not done after very many steps; the caller tries again later.
        """
        anew = not PERSON.isdisjoint(triggers)
        body = await self.effects.kube.get_endpoint(*key)
        for _ in range(_MAX_STEPS):
            if body is None:
                self._forget(key)
                return None
            resource, problem, fate_unknown = readable(body)
            if resource.deleting and names.FINALIZER not in resource.finalizers:
                self._forget(key)
                return None
            case = await self.observer.observe(resource, self._memory(resource), anew=anew)
            anew = False
            self._remember(resource, case.memory)
            self.roster.put(Entry.of(resource, case.credential, case.observed.api))
            decision = decide(case)
            if problem is not None:
                decision = _misread(case, decision, problem, fate_unknown=fate_unknown)
            resting = isinstance(decision.step, Wait)
            if self.stopping() and not resting and not isinstance(decision.step, Record):
                return None
            if not await self.effects.permitted(decision.step):
                body = await self.effects.kube.get_endpoint(*key)
                continue
            try:
                if resting:
                    pause = await self._rest(body, resource, case, decision)
                    if "extra" in triggers:
                        self._tell_all(body, stories.of_strangers(case))
                    return pause
                after = await self._step(body, resource, case, decision)
            except (Conflict, NotFound):
                after = await self.effects.kube.get_endpoint(*key)
            except KeyGone:
                after, anew = body, True
            except (Forbidden, Rejected) as error:
                await self._refused(body, resource, case, decision, error)
                raise
            body = after
        raise Unsettled(f"Not done after {_MAX_STEPS} steps")

    def owed(self) -> list[Key]:
        """The resources for which Together's answer to a create is known and not on record yet."""
        return [key for key in self._known if self.owes(key)]

    def owes(self, key: Key) -> bool:
        """Whether Together's answer to a create is known and not on record yet.

        Args:
            key: The resource.
        """
        known = self._known.get(key)
        answer = known.memory.answer if known is not None else None
        return answer is not None and isinstance(answer.outcome, Done | Refused)

    def _memory(self, resource: TogetherEndpoint) -> Memory:
        known = self._known.get(_key(resource))
        if known is not None and known.uid == resource.uid:
            return known.memory
        now = self.observer.clocks.steady()
        spread = int(hashlib.sha256(resource.uid.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        return Memory(born=now, details_at=now - spread * self.observer.timing.drift)

    def _remember(self, resource: TogetherEndpoint, memory: Memory) -> None:
        self._known[_key(resource)] = _Known(resource.uid, memory)

    def _forget(self, key: Key) -> None:
        self._known.pop(key, None)
        entry = self.roster.depart(key)
        self.metrics.resource_gone(*key)
        for endpoint_id in () if entry is None else (entry.endpoint_id, entry.wanted):
            if endpoint_id is None:
                continue
            # Whoever had to leave the endpoint to this resource need not any more.
            for rival in self.roster.holders(endpoint_id) + self.roster.wanting(endpoint_id):
                self.enqueue(rival.key, "rival")

    # -- one step --------------------------------------------------------------------------------

    async def _step(
        self, body: Body, resource: TogetherEndpoint, case: Case, decision: Decision
    ) -> Body | None:
        """Take one step, learn from it, and tell what happened."""
        step = decision.step
        steady = self.observer.clocks.steady
        case = replace_memory(case, begin(case.memory, step, steady()))
        self._remember(resource, case.memory)
        log.debug("%s: %s", type(step).__name__, decision.situation.message)
        after, outcome = await self._carry_out(body, resource, case, decision)
        self._follow(resource, learn(case, step, outcome, steady()), after)
        story = stories.of_step(case, decision, outcome)
        if story is not None:
            self._tell(body, story)
        return after

    def _follow(self, resource: TogetherEndpoint, memory: Memory, after: Body | None) -> None:
        """Keep what is known, carried over a write of our own if there was one."""
        if after is not None:
            version = after["metadata"]["resourceVersion"]
            memory = own_write(memory, resource.resource_version, version)
        self._remember(resource, memory)

    async def _carry_out(
        self, body: Body, resource: TogetherEndpoint, case: Case, decision: Decision
    ) -> tuple[Body | None, Outcome]:
        step: Step = decision.step
        effects = self.effects
        match step:
            case Record():
                return await self._write(body, case, decision), None
            case Prepare():
                after = await effects.prepare(resource)
                return after, after["metadata"]["resourceVersion"]
            case Consume():
                return await effects.consume(resource, step), None
            case KeepKey():
                await effects.keep_key(resource, step)
                return body, None
            case Publish():
                return body, await connection.publish(effects.kube, resource)
            case FindOwner():
                return body, await effects.owner_lives(step)
            case FindDefinition():
                return body, await effects.definition()
            case Reserve():
                return body, await effects.reserve(resource, step, case.observed.api)
            case Finish():
                await effects.finish(resource, step)
                return await effects.kube.get_endpoint(resource.namespace, resource.name), None
            case _:
                return body, await effects.remote(case, step)

    async def _refused(
        self,
        body: Body,
        resource: TogetherEndpoint,
        case: Case,
        decision: Decision,
        error: Forbidden | Rejected,
    ) -> None:
        """Have a person learn what the cluster refuses, where they look first."""
        self._tell(body, stories.of_refusal(str(error)))
        if isinstance(decision.step, Record | Wait):
            return  # what is refused is the status itself
        telling = case.wait(
            decision.situation.reason, f"{decision.situation.message}, which failed: {error}"
        )
        with contextlib.suppress(KubeError):
            await self._rest(body, resource, case, telling)

    # -- the status ------------------------------------------------------------------------------

    async def _write(self, body: Body, case: Case, decision: Decision) -> Body:
        """Write the status, if it says anything new."""
        account = self.effects.accounts.get(case.credential, case.observed.api)
        status = report(
            case,
            decision,
            wall=self.observer.clocks.wall(),
            price=self._price(case, decision),
            inference_url=account.driver.inference_url if account else "",
        )
        told = status.to_dict()
        if told == body.get("status"):
            return body
        after = await self._persist({**body, "status": told})
        story = stories.of_change(case, decision)
        if story is not None:
            self._tell(body, story)
        return after

    async def _persist(self, body: Body) -> Body:
        """Write a status, patiently: it may be the only record of something that costs money."""
        for pause in _PATIENCE:
            try:
                return await self.effects.kube.replace_status(body)
            except KubeUnavailable as error:
                log.warning("The status could not be written, trying again: %s", error)
                await asyncio.sleep(pause)
        return await self.effects.kube.replace_status(body)

    def _price(self, case: Case, decision: Decision) -> Decimal | None:
        """The price, read once for all resources of a key, and never waited for.

        A record must not wait for it least of all: it is worth only seconds (create-once rule 4).
        """
        account = self.effects.accounts.get(case.credential, case.observed.api)
        if account is None:
            return None
        known = account.known_price(case.desired.spec.hardware)
        ordered = case.record.endpoint_id is not None or isinstance(decision.step, Record)
        wanted = ordered and not case.desired.deleting and account.failures == 0
        # A restart alone is no reason to ask: the status tells the price already.
        if wanted and (known is not None or case.status.price is None):
            account.refresh_prices()
        return known

    async def _rest(
        self, body: Body, resource: TogetherEndpoint, case: Case, decision: Decision
    ) -> float | None:
        """Nothing to do: tell how things are, and say when to look again."""
        after = await self._write(body, case, decision)
        self._follow(resource, case.memory, after)
        now = readable(after).resource
        self.roster.put(Entry.of(now, case.credential, case.observed.api))
        self._measure(now, case, decision)
        pauses = [decision.step.after] if isinstance(decision.step, Wait) else []
        if case.observed.keys.trouble is not None or decision.situation.reason in GRACED:
            pauses.append(self.key_pause)
        account = self.effects.accounts.get(case.credential, case.observed.api)
        if account is not None and now.status.endpoint_id and now.status.price is None:
            pauses.append(account.price_expected(case.desired.spec.hardware))
        return min((pause for pause in pauses if pause is not None), default=None)

    def _measure(self, resource: TogetherEndpoint, case: Case, decision: Decision) -> None:
        price, bounds = resource.status.price, resource.status.autoscaling
        endpoint = case.endpoint
        cost = Decimal(0)
        if price and bounds and endpoint and endpoint.phase is Phase.STARTED:
            replicas = endpoint.ready_replicas or bounds.min_replicas
            with contextlib.suppress(InvalidOperation):  # whatever a status may hold
                cost = Decimal(price.per_replica_hour) * replicas
        self.metrics.resource(
            resource.namespace,
            resource.name,
            decision.situation.reason.value,
            cost,
            case.observed.api.value,
        )

    def _tell_all(self, body: Body, told: Iterable[stories.Story]) -> None:
        for story in told:
            self._tell(body, story)

    def _tell(self, body: Body, story: stories.Story) -> None:
        level = logging.WARNING if story.warning else logging.INFO
        log.log(level, "%s: %s", story.reason, story.message)
        tell = self.recorder.warning if story.warning else self.recorder.normal
        tell(body, story.reason, story.message)


def _misread(case: Case, decision: Decision, problem: str, *, fate_unknown: bool) -> Decision:
    """What is done about a resource whose spec cannot be read in full.

    Args:
        case: The resource, as far as it can be read.
        decision: What would be done about that much of it.
        problem: What cannot be read.
        fate_unknown: Whether that is what becomes of the endpoint.
    """
    answered = write_down(case)
    if answered is not None:
        return answered
    if not case.desired.deleting:
        return case.wait(Reason.INVALID_REQUEST, problem)
    if not fate_unknown or isinstance(decision.step, FindDefinition) or uprooted(case):
        return decision
    return case.wait(
        Reason.DELETION_BLOCKED,
        f"What is to become of the endpoint cannot be read, so it is left as it is: {problem}",
    )


def _key(resource: TogetherEndpoint) -> Key:
    return Key(resource.namespace, resource.name)
