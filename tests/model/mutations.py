"""Each rule of creating exactly once, taken out of a copy of the code: does the model notice?

A model that finds nothing proves something only if it finds what is wrong. So each rule is removed
in turn, in memory and by its very text (which has to be there, so that a rule that is rewritten
asks for a new mutation), and the search has to come upon a broken promise. There is no switch for
any of it in the code that ships.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from together_operator.core.case import Case
from together_operator.core.steps import Decision, Start
from together_operator.core.timing import Timing
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Deployment, Endpoint

from .events import LEASE
from .mixes import MIXES
from .search import Result, search
from .worlds import TIMING

CORE = "together_operator.core"


@dataclass(frozen=True)
class Edit:
    """One change of a copy of the code.

    Attributes:
        where: Module and name, as in `core.case:Case.record`.
        old: What is there, exactly once.
        new: What is put in its place.
    """

    where: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """A rule that is removed or weakened.

    Attributes:
        rule: Its number in the protocol; empty for an invariant beside it.
        about: What is left out.
        mix: The mix of faults in which that shows.
        edits: How it is left out.
        most: How many faults that takes.
        faults: Which of the mix are enough; all by default.
        events: Which events are enough; those of the mix by default.
        timing: The waits, if not those of the mix.
    """

    rule: str
    about: str
    mix: str
    edits: tuple[Edit, ...]
    most: int = 1
    faults: frozenset[str] | None = None
    events: tuple[str, ...] | None = None
    timing: Timing | None = None


def started_at_once(case: Case, endpoint: Endpoint, made: Deployment) -> Decision:
    """A start of what is seen, which needs no record."""
    assert case.marker is not None
    order = case.desired.order(case.marker, started=True, name=case.endpoint_name)
    step = Start(case.credential or "", endpoint.id, order, made.id)
    return case.step(step, Reason.STARTING, "Starting it")


ENOUGH = 10_000
"""States within which each mutation has to be noticed."""

_LONG = replace(TIMING, late=3.0, lag=3.0)
"""L and G so long that the gap of two scans does not make up for either."""

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "1", "the POST does not wait for the finalizer", "crashes",
        (Edit("creating:attempt", "not case.held or desired.owner_uid != desired.uid", "False"),
         Edit("copies:settle_copy", "desired.held and desired.owner_uid == desired.uid", "True")),
    ),
    Mutation(
        "1", "the POST does not wait for the key copy", "crashes",
        (Edit("creating:attempt", "if observed.keys.held != user:", "if False:"),
         Edit("creating:_send", "keys.user == keys.held == operation.credential",
              "keys.user == operation.credential")),
    ),
    Mutation(
        "2", "a rename leaves the mark out", "changes",
        (Edit("desired:Desired.change", "marker.write(self.human_name)", "self.human_name"),),
    ),
    Mutation(
        "3", "a record of another uid counts", "copies",
        (Edit("record:Recorded._ours",
              "operation is not None and (operation.uid, operation.cluster) == mine",
              "operation is not None"),),
    ),
    Mutation(
        "4", "nothing bounds the time from the record to the POST", "two operators",
        (Edit("creating:_send", "fence is not None and case.now - fence.began <= case.timing.fence",
              "fence is not None"),
         Edit("tests.core.request_model:create",
              "fence is None or world.now - fence.began > world.timing.fence", "fence is None")),
        faults=frozenset({"SIGSTOP"}), events=(),
    ),
    Mutation(
        "4", "a process that did not write the record takes it for unsent", "crashes",
        (Edit("record:Recorded.nothing_sent",
              "and fence is not None\n        and fence.nonce == self.operation.nonce\n"
              "        and not fence.posted",
              "and not (fence is not None and fence.posted)"),),
    ),
    Mutation(
        "5", "an unclear answer counts as not sent", "crashes",
        (Edit("learning:_created", "if isinstance(outcome, NotSent):",
              "if isinstance(outcome, NotSent | Ambiguous):"),),
    ),
    Mutation(
        "6", "what is listed and cannot be read is no candidate", "stale views",
        (Edit("scan:classify", "unread.append(line.id)", "continue"),),
        faults=frozenset({"late effect"}), events=("false 404 to a GET",) * 6,
    ),
    Mutation(
        "6", "a scan with another key counts", "keys",
        (Edit("settling:settle",
              "case.operation.credential if case.operation else case.credential",
              "case.observed.keys.user or case.credential"),
         Edit("creating:attempt", "case.operation.credential != user", "False")),
        faults=frozenset({"late effect"}), events=("key K3",),
    ),
    Mutation(
        "7", "the wait leaves out L", "crashes",
        (Edit("timing:Timing.settle", " + self.late", ""),),
        faults=frozenset({"kill"}), events=(), timing=_LONG,
    ),
    Mutation(
        "7", "the wait leaves out G", "crashes",
        (Edit("timing:Timing.settle", " + self.lag", ""),),
        faults=frozenset({"kill"}), events=(), timing=_LONG,
    ),
    Mutation(
        "7", "one empty look is enough", "stale views",
        (Edit("settling:silent",
              "bool(empties) and empties[-1] - empties[0] >= case.timing.scan_gap",
              "bool(empties)"),),
        most=2, faults=frozenset({"lost reply", "SIGSTOP"}), events=("a LIST without anything",),
    ),
    Mutation(
        "8", "only the newest nonce is claimed", "beyond L",
        (Edit("case:Case.unaccounted", "(alone or found.nonce in self.open)",
              "found.nonce == (self.operation.nonce if self.operation else '')"),
         Edit("removing:newly_proven", "if nonce in operation.open\n",
              "if nonce == operation.nonce\n")),
    ),
    Mutation(
        "9", "an attempt that made nothing is forgotten", "beyond L",
        (Edit("creating:_next_attempt", "(*operation.open, operation.nonce)", "()"),),
    ),
    Mutation(
        "9", "Auto leaves v1 without settling what is open there", "fall-over, others",
        (Edit("creating:create", "if unresolved is None:",
              "if unresolved is None or (operation is not None and case.observed.closed):"),),
        faults=frozenset({"late effect"}), events=("another finds v1 closed",),
    ),
    Mutation(
        "9", "Auto goes to v2 after an answer that is none", "fall-over, others",
        (Edit("choosing:generation", "if tried:", "if False:"),),
        faults=frozenset({"late effect"}), events=("another finds v1 closed",),
    ),
    Mutation(
        "10", "a lost record is looked for in one generation only", "fall-over, others",
        (Edit("choosing:generation", "other if lost and other not in searched else chosen",
              "chosen"),
         Edit("settling:settle", "not everywhere(case.desired.spec, case.searched)", "False")),
        faults=frozenset(), events=("another finds v1 closed", "wipe status"),
    ),
    Mutation(
        "10", "without a record there was no attempt", "lost status",
        (Edit("record:Recorded.record_lost", "self.operation is None\n", "False\n"),),
    ),
    Mutation(
        "11", "our mark alone licenses a deletion", "strangers",
        (Edit("removing:newly_proven", "if nonce in operation.open\n        and ", "if "),),
    ),
    Mutation(
        "12", "a deletion does not settle an open attempt", "crashes",
        (Edit("deleting:_settle", "if not subjects or", "if True or"),),
    ),
    Mutation(
        "12", "one LIST without it is gone", "deletion",
        (Edit("case:Case.gone", "and absence.not_found is not None\n"
              "        and absence.last >= absence.first + self.timing.lag", ""),),
    ),
    Mutation(
        "13", "no tombstone is left", "rule 13",
        (Edit("deleting:_finish", "Finish(nonces, ", "Finish((), "),),
        faults=frozenset({"late effect"}),
    ),
    Mutation(
        "14", "a copy is not asked about", "copies",
        (Edit("copies:settle_copy", "if lives[1] or ", "if True or "),),
    ),
    Mutation(
        "15", "a PATCH or DELETE does not ask for the Lease", "the Lease, changes",
        (Edit("steps:needs_lease", "isinstance(single(step), Write)", "False"),),
        events=(LEASE, "stop", "start"),
    ),
    Mutation(
        "16", "v1 creates stopped, unasked", "crashes",
        (Edit("creating:_send", "case.desired.started and not case.observed.deploys",
              "False"),),
    ),
    Mutation(
        "16", "a deployment is started before its id is on record", "v2: create",
        (Edit("deploying:deploy",
              "_known(case, made) if made is not None else _post(case, endpoint)",
              "__import__(\'sys\').modules[\'tests.model.mutations\']"
              ".started_at_once(case, endpoint, made)"
              " if made is not None else _post(case, endpoint)"),),
    ),
    Mutation(
        "7", "a deployment is ordered again before the first order has settled", "v2: late",
        (Edit("deploying:_post", "if not unsent:", "if False:"),),
    ),
    Mutation(
        "12", "a deployment is deleted before it has stopped", "v2: deletion",
        (Edit("dismantling:_one", "if deployment.phase not in ENDED:", "if False:"),),
        faults=frozenset(), events=("delete",),
    ),
    Mutation(
        "I3", "a person's part of the traffic is dropped", "v2: names",
        (Edit("routing:towards", "(Weight(deployment_id, weight), *strangers)",
              "(Weight(deployment_id, weight),)"),),
    ),
    Mutation(
        "I3", "whatever is in our endpoint is taken apart with it", "v2: names",
        (Edit("deploying:own_ids", "if d.id in known or (d.name in titles)", "if True"),),
    ),
    Mutation(
        "I3", "an endpoint that has our name is ours", "v2: names",
        (Edit("naming:whose", "if own:", "if endpoint.deployments:"),
         Edit("naming:whose", "mark = mark_of(own[0])", "mark = None")),
    ),
    Mutation(
        "I3", "the endpoint of v1 goes before a person says that it may", "moving",
        (Edit("migrating:migrate", "(_confirmed(case) or _left(case))", "True"),),
    ),
    Mutation(
        "I2", "what a move has made is forgotten, and not removed, when it is called off",
        "moving, back",
        (Edit("migrating:_call_off",
              "case.record.with_beside(beside.record, MigrationPhase.LEAVING)",
              'case.record.model_copy(update={"migration": None})'),),
    ),
    Mutation(
        "I8", "what stopped by itself is started again", "restarts",
        (Edit("upkeep:_start", "if not turned and not asked:", "if False:"),),
    ),
    Mutation(
        "Swap", "the traffic moves to what nobody has tried", "v2: swap",
        (Edit("swapping:_try", "if case.memory.tried == following.id:", "if True:"),),
        faults=frozenset(), events=(),
    ),
    Mutation(
        "Swap", "the roles turn before the traffic does", "v2: swap",
        (Edit("swapping:turned",
              "if endpoint.weight(following.id) <= 0 or endpoint.weight(current.id) > 0:",
              "if False:"),),
        faults=frozenset(), events=(),
    ),
    Mutation(
        "Swap", "a person's part of the traffic moves along with ours", "v2: swap, the console",
        (Edit("routing:towards", "(Weight(deployment_id, weight), *strangers)",
              "(Weight(deployment_id, weight),)"),),
        faults=frozenset(), events=("a test beside",),
    ),
    Mutation(
        "Swap", "what was ordered before a change is made after it", "v2: swap, other wishes",
        (Edit("deploying:_post", "if made_of(name) != case.desired.immutable:", "if False:"),),
        events=("yet other hardware",),
    ),
    Mutation(
        "Swap", "Retain leaves the one that is to take the other's place", "v2: swap, kept",
        (Edit("leaving:owed", "tuple(others) if _answers(case) else ()", "()"),),
        faults=frozenset(), events=("policy retain", "delete"),
    ),
)  # fmt: skip
"""Every mutation. Rule 5's connection is the process's, not the decision's."""

ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    ("5", "a create shares a connection, is retried or redirected",
     "`tests/together/test_wire.py`; `make chaos-mutations`"),
)  # fmt: skip
"""What of a rule only a process can show, and where it is shown."""


def _resolve(where: str) -> tuple[Any, Any, str, Any]:
    """Module, owner, name and value of what is to be changed."""
    module_name, _, path = where.partition(":")
    full = module_name if module_name.startswith("tests.") else f"{CORE}.{module_name}"
    module = importlib.import_module(full)
    owner: Any = module
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return module, owner, name, inspect.getattr_static(owner, name)


def _function(value: Any) -> Any:
    """The function in a property, cached or not."""
    return getattr(value, "fget", None) or getattr(value, "func", None) or value


def _changed(module: Any, name: str, value: Any, edits: list[Edit]) -> Any:
    source = textwrap.dedent(inspect.getsource(_function(value)))
    for edit in edits:
        if source.count(edit.old) != 1:
            raise ValueError(f"{edit.where} does not say {edit.old!r} exactly once any more")
        source = source.replace(edit.old, edit.new)
    scratch: dict[str, Any] = {}
    code = compile(f"from __future__ import annotations\n{source}", edits[0].where, "exec")
    exec(code, module.__dict__, scratch)  # noqa: S102 (the point: a changed copy of our own code)
    return scratch[name]


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """Have a rule removed for a while, everywhere that its code is used."""
    undo: list[tuple[Any, str, Any]] = []
    places: dict[str, list[Edit]] = {}
    for edit in mutation.edits:
        places.setdefault(edit.where, []).append(edit)
    try:
        for where, edits in places.items():
            module, owner, name, value = _resolve(where)
            changed = _changed(module, name, value, edits)
            if hasattr(changed, "__set_name__"):
                changed.__set_name__(owner, name)
            users = [owner] if owner is not module else _users(name, value)
            for user in users:
                undo.append((user, name, value))
                setattr(user, name, changed)
        yield
    finally:
        for user, name, value in reversed(undo):
            setattr(user, name, value)


def _users(name: str, value: Any) -> list[Any]:
    """Every module of the decision and its model in which a function goes by its name."""
    return [
        module
        for path, module in list(sys.modules.items())
        if path.startswith((CORE, "tests.core", "tests.model"))
        and getattr(module, "__dict__", {}).get(name) is value
    ]


def try_out(mutation: Mutation, limit: int) -> Result:
    """Search without a rule."""
    mix = next(mix for mix in MIXES if mix.name == mutation.mix)
    world = mix.begin()
    if mutation.timing is not None:
        world.timing, world.lag = mutation.timing, mutation.timing.lag
    mix = replace(
        mix,
        most=mutation.most,
        begin=world.clone,
        faults=mix.faults if mutation.faults is None else mutation.faults,
        events=mix.events if mutation.events is None else mutation.events,
    )
    with mutated(mutation):
        return search(mix, limit)
