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
from typing import Any, NamedTuple

from together_operator.controller import connection, stories
from together_operator.controller.costs import current_cost
from together_operator.controller.effects import Effects, KeyGone
from together_operator.controller.entry import Entry
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
from together_operator.controller.roster import Roster
from together_operator.core.case import Case
from together_operator.core.decide import decide
from together_operator.core.learning import (
    Outcome,
    begin,
    learn,
    own_write,
)
from together_operator.core.memory import Memory
from together_operator.core.misreading import misread
from together_operator.core.noticing import replace_memory
from together_operator.core.report import Terms, report
from together_operator.core.steps import (
    Beside,
    Consume,
    Decision,
    Dismiss,
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
    single,
)
from together_operator.core.table import GRACED
from together_operator.metrics import Metrics
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.remote import Done, Refused

log = logging.getLogger(__name__)

_MAX_STEPS = 64
"""Steps in one reconcile, after which others get their turn."""

_PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries to write a status, within what a shutdown allows."""

Body = dict[str, Any]

_NEWS = frozenset({"create", "update", "stop", "delete", "resync"})
"""Triggers that are events of the resource, and so a reason to read its Secret again; a comparison
finds what no event has told yet."""


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
        anew = not _NEWS.isdisjoint(triggers)
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
                decision = misread(case, decision, problem, fate_unknown=fate_unknown)
            resting = isinstance(decision.step, Wait)
            if self.stopping() and not resting and not isinstance(single(decision.step), Record):
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
        memories = () if known is None else (known.memory, known.memory.beside)
        answers = (memory.answer for memory in memories if memory is not None)
        return any(one is not None and isinstance(one.outcome, Done | Refused) for one in answers)

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
        held = () if entry is None else (entry.wanted, *(one.endpoint_id for one in entry.both))
        for endpoint_id in filter(None, held):
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
        beside = case.beside
        if isinstance(step, Beside) and not isinstance(step.step, Record):
            assert beside is not None  # noqa: S101
            assert decision.beside is not None  # noqa: S101
            return await self._carry_out(body, resource, beside, decision.beside)
        match step:
            case Record() | Beside():
                return await self._write(body, case, decision), None
            case Dismiss(released=released):
                if released:
                    await effects.released.add(released)
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
        if isinstance(single(decision.step), Record | Wait):
            return  # what is refused is the status itself
        telling = case.wait(
            decision.situation.reason, f"{decision.situation.message}, which failed: {error}"
        )
        with contextlib.suppress(KubeError):
            await self._rest(body, resource, case, telling)

    # -- the status ------------------------------------------------------------------------------

    async def _write(self, body: Body, case: Case, decision: Decision) -> Body:
        """Write the status, if it says anything new."""
        beside = case.beside
        status = report(
            case,
            decision,
            wall=self.observer.clocks.wall(),
            terms=self._terms(case, decision),
            beside=None if beside is None else self._terms(beside, decision.beside or decision),
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

    def _terms(self, case: Case, decision: Decision) -> Terms:
        """What the account tells; prices are read once for all of a key, and never waited for.

        A record must not wait for one least of all: it is worth only seconds (create-once rule 4).
        """
        account = self.effects.accounts.get(case.credential, case.observed.api)
        if account is None:
            return Terms()
        known = account.known_price(case.desired.spec.hardware)
        ordered = case.record.endpoint_id is not None or isinstance(decision.step, Record)
        wanted = ordered and not case.desired.deleting and account.failures == 0
        # A restart alone is no reason to ask: the status tells the price already.
        if wanted and (known is not None or case.status.price is None):
            account.refresh_prices()
        return Terms(known, account.driver.inference_url)

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
        if case.desired.spec.connection and now.status.inference != case.status.inference:
            pauses.append(0.0)  # the ConfigMap for applications follows what has just been told
        for one in filter(None, (case, case.beside)):
            account = self.effects.accounts.get(one.credential, one.observed.api)
            status = now.status if one is case else now.status.beside
            if account is not None and status and status.endpoint_id and status.price is None:
                pauses.append(account.price_expected(case.desired.spec.hardware))
        return min((pause for pause in pauses if pause is not None), default=None)

    def _measure(self, resource: TogetherEndpoint, case: Case, decision: Decision) -> None:
        beside, other = case.beside, resource.status.beside
        cost = current_cost(resource.status, case)
        if beside is not None and other is not None:
            cost += current_cost(other, beside)
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


def _key(resource: TogetherEndpoint) -> Key:
    return Key(resource.namespace, resource.name)
