"""What tells a settled world from others; the names of processes do not."""

from __future__ import annotations

from collections.abc import Hashable

from tests.core.account_model import Account
from tests.core.cluster_model import Body
from tests.core.deployments_model import Unit
from tests.core.process_model import Process
from tests.core.together_model import Machine
from tests.core.work_model import Entry, Work
from tests.core.world import World
from together_operator.core.observed import Poll

from .canon import text


def key(world: World) -> Hashable:
    """Bring into one value everything that a settled world can be told from others by."""
    cluster, together, judge = world.cluster, world.together, world.judge
    return (
        tuple(_body_key(cluster.bodies[uid]) for uid in sorted(cluster.bodies)),
        (cluster.key, cluster.defined, cluster.undefined),
        tuple(sorted(cluster.copies.items())),
        tuple(sorted(cluster.tombstones.items())),
        tuple(_machine_key(machine) for machine in together.machines.values()),
        tuple(_unit_key(unit) for unit in together.deployments.values()),
        together.flights,
        (together.down, together.limited, together.full, together.retired),
        (together.omitting, together.hiding, together.omitted_at, frozenset(together.denied)),
        frozenset(judge.licences),
        (frozenset(judge.granted), frozenset(judge.strangers)),
        (frozenset(judge.departed), frozenset(judge.unasked), frozenset(judge.replacing)),
        (frozenset(judge.tried), frozenset(judge.moving), frozenset(judge.confirmed)),
        (world.forbidden, world.rival, world.deaf, world.lag),
        tuple(
            sorted(
                (
                    _process_key(process, process.name in world.frozen)
                    for process in world.processes
                ),
                key=hash,
            )
        ),
    )


def _body_key(body: Body) -> Hashable:
    return (
        body.uid,
        body.version,
        body.generation,
        (body.deleting, body.deleted),
        body.finalizers,
        tuple(sorted(body.annotations.items())),
        body.spec,
        text(body),
    )


def _machine_key(machine: Machine) -> Hashable:
    return (
        machine.id, machine.display_name, machine.bounds, machine.state, machine.created,
        machine.owner, machine.nonce, machine.minutes, machine.since, machine.listed_from,
        machine.listed_until, machine.gone_at, machine.api, machine.name, machine.traffic,
    )  # fmt: skip


def _unit_key(unit: Unit) -> Hashable:
    return (
        unit.id, unit.endpoint_id, unit.name, unit.bounds, unit.state, unit.created, unit.owner,
        unit.minutes, unit.since, unit.listed_from, unit.gone_at, unit.hardware,
    )  # fmt: skip


def _process_key(process: Process, frozen: bool) -> Hashable:
    return (
        (frozen, frozenset(process.closed)),
        tuple(sorted(process.reserved.items())),
        tuple(_work_key(uid, work) for uid, work in sorted(process.works.items())),
        tuple(_account_key(account) for _, account in sorted(process.accounts.items())),
    )


def _work_key(uid: str, work: Work) -> Hashable:
    entry, flying = work.entry, work.flying
    return (
        uid,
        work.memory,
        None if work.body is None else _body_key(work.body),
        work.due,
        (work.ready, work.again),
        entry and _entry_key(entry),
        flying and (flying.step, flying.outcome, flying.at, flying.case.desired.generation),
    )


def _entry_key(entry: Entry) -> Hashable:
    return (
        (entry.credential, entry.api, entry.endpoint_id, entry.state, entry.moving),
        (entry.missing, entry.units, entry.open_v1),
        entry.removing,
        entry.beside and _entry_key(entry.beside),
    )


def _account_key(account: Account) -> Hashable:
    return (
        account.name,
        _poll_key(account.poll),
        account.failures,
        account.trouble,
        tuple(account.traits.items()),
        account.before,
        account.polled_at,
        frozenset(account.told),
    )


def _poll_key(poll: Poll | None) -> Hashable:
    return poll and (poll.credential, poll.sent_at, poll.date, tuple(poll.lines.values()))
