"""The next step: everything that a decision can ask for.

One step has at most one external effect. Looking is a step too, so that a decision never depends
on something that was read behind its back.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Change, Order, Weight
from together_operator.resource.status import Status


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until something changes.

    Attributes:
        after: Seconds until it is worth another look, `None` if only a change can tell.
    """

    after: float | None = None


@dataclass(frozen=True, slots=True)
class List:
    """Have a complete LIST that was sent at or after a time.

    Attributes:
        credential: The identity of the key to use.
        since: Monotonic seconds; an older LIST does not do.
    """

    credential: str
    since: float


@dataclass(frozen=True, slots=True)
class Look:
    """Have a LIST as `List` does, and every newcomer in it read: a scan.

    Attributes:
        credential: The identity of the key to use.
        since: Monotonic seconds; an older LIST does not do.
        horizon: Unix seconds by Together's clock; older endpoints need not be read.
        uids: The uids whose marks are looked for.
        name: The unique name that was asked for, in the generation that has such.
    """

    credential: str
    since: float
    horizon: float
    uids: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Get:
    """Read one endpoint whole."""

    credential: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class Vet:
    """Try whether a new key can read the recorded endpoint."""

    credential: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class FindWeights:
    """Look which weights the model of the resource stands for."""

    credential: str
    model: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the model for one token.

    Attributes:
        credential: The identity of the key to use.
        name: What inference takes as `model`.
        deployment_id: The deployment that is tried by its own name, before it has traffic.
    """

    credential: str
    name: str
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class FindOwner:
    """Look whether a resource with this uid lives in the cluster."""

    uid: str


@dataclass(frozen=True, slots=True)
class FindDefinition:
    """Look whether the definition of the resource's kind (the CRD) is being removed."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Make sure that nobody else in the cluster has, or is just taking over, an endpoint.

    Attributes:
        credential: The identity of the key that shows it.
        endpoint_id: The endpoint.
        owner: The owner part of the mark that it carries, if that names another resource.
    """

    credential: str
    endpoint_id: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class KeepKey:
    """Copy the person's key into the operator's namespace."""

    credential: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write finalizer and owner-uid, in one PATCH with a precondition."""


@dataclass(frozen=True, slots=True)
class Consume:
    """Take an answered annotation off the resource."""

    annotation: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write evidence into the status, with a precondition, before anything depends on it.

    Attributes:
        status: What to write.
        halted: Whether it records what has just been made stopped, so that to be stopped is what
            was last asked of it.
        turned: Whether the other endpoint of a migration takes the place of the recorded one.
    """

    status: Status
    halted: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Make the endpoint: one POST under the nonce that is on record."""

    credential: str
    nonce: str
    order: Order


@dataclass(frozen=True, slots=True)
class Update:
    """Change in place what differs."""

    credential: str
    endpoint_id: str
    change: Change
    drift: bool
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Make the endpoint run."""

    credential: str
    endpoint_id: str
    order: Order
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Make the endpoint stop, and keep it."""

    credential: str
    endpoint_id: str
    drift: bool
    deployment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an endpoint."""

    credential: str
    endpoint_id: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """Make a deployment, stopped: one POST under the name that is on record."""

    credential: str
    endpoint_id: str
    name: str
    order: Order


@dataclass(frozen=True, slots=True)
class Undeploy:
    """Remove a deployment."""

    credential: str
    endpoint_id: str
    deployment_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """Write who answers under the endpoint's name.

    Attributes:
        credential: The identity of the key to use.
        endpoint_id: The endpoint.
        traffic: The whole of it.
        version: The etag of what it was decided on.
    """

    credential: str
    endpoint_id: str
    traffic: tuple[Weight, ...]
    version: str | None


@dataclass(frozen=True, slots=True)
class Publish:
    """Write the ConfigMap that applications read."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Take the finalizer off: nothing is left that the resource has to answer for.

    Attributes:
        nonces: Attempts that might yet take effect, left to the tombstone.
        credential: The identity of the key that could still see them.
        left: The endpoint that stays at Together, or may.
        released: Endpoints with our mark that stay, and that nobody will answer for any more.
    """

    nonces: tuple[str, ...] = ()
    credential: str | None = None
    left: str | None = None
    released: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let go of the other endpoint of a migration, for which nothing is left to do.

    Attributes:
        status: What to write.
        left: The endpoint that stays at Together, or may.
        released: Endpoints with our mark that stay, and that nobody will answer for any more.
    """

    status: Status
    left: str | None
    released: tuple[str, ...]


Single = (
    Wait
    | List
    | Look
    | Get
    | Vet
    | FindWeights
    | Probe
    | FindOwner
    | FindDefinition
    | Reserve
    | KeepKey
    | Prepare
    | Consume
    | Record
    | Create
    | Update
    | Start
    | Stop
    | Delete
    | Deploy
    | Undeploy
    | Route
    | Publish
    | Finish
    | Dismiss
)

Write = Update | Start | Stop | Delete | Undeploy | Route
"""What changes or removes something at Together; what is made there, its record protects."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A step for the other endpoint of a migration."""

    step: Single


Step = Single | Beside


@dataclass(frozen=True, slots=True)
class Situation:
    """What a person is told.

    Attributes:
        reason: The one word.
        message: What is so, and what to do next.
        pending: Whether a wish of the person is still to be carried out.
        cause: What is wrong with the connection to Together, if anything is.
        keep: Whether nothing new is known, so that every condition stays as it is.
        beneath: What would be told if nothing held the operator back.
    """

    reason: Reason
    message: str
    pending: bool = True
    cause: Reason | None = None
    keep: bool = False
    beneath: Situation | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step, and the situation that it belongs to.

    Attributes:
        step: The step.
        situation: What a person is told meanwhile.
        beside: What was decided about the other endpoint of a migration, as if it were alone.
    """

    step: Step
    situation: Situation
    beside: Decision | None = None


def single(step: Step) -> Single:
    """A step, whichever endpoint of a migration it is for.

    Args:
        step: The step.
    """
    return step.step if isinstance(step, Beside) else step


def needs_lease(step: Step) -> bool:
    """Whether a step may be taken only by the process that holds the Lease (create-once rule 15).

    Args:
        step: The step.
    """
    return isinstance(single(step), Write)


def sooner(*steps: Step) -> Wait:
    """The wait until any of several is to be looked at again.

    Args:
        steps: Steps, of which those that are waits count.
    """
    pauses = (step.after for step in steps if isinstance(step, Wait))
    return Wait(min((pause for pause in pauses if pause is not None), default=None))


def waits(decision: Decision) -> bool:
    """Whether a decision is to do nothing for now.

    Args:
        decision: The decision.
    """
    return isinstance(decision.step, Wait)
