"""What the resource says: a person's wish, and the answers that a person gave."""

from __future__ import annotations

from dataclasses import dataclass, replace

from together_operator.core.marker import NAME_LIMIT, Marker, digest
from together_operator.resource.hardware import v1_hardware
from together_operator.resource.remote import Bounds, Change, Order
from together_operator.resource.spec import (
    Api,
    DeletionPolicy,
    Spec,
    SpeculativeDecoding,
    State,
)


@dataclass(frozen=True, slots=True)
class Desired:
    """One reading of the resource, status apart.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        uid: Its identity: what everything remote is bound to.
        generation: Counts changes of the spec.
        resource_version: Of this reading.
        created_at: creationTimestamp in unix seconds (Kubernetes' clock).
        deleting: Whether it is being deleted.
        held: Whether our finalizer is on it.
        owner_uid: The uid that our annotation names, if it is there.
        spec: What is asked for.
        claim: A person's answer to `InconclusiveScan`.
        restored_copy: A person's answer to `RestoredCopy`.
        release: A person's answers to `DeletionBlocked`.
        reconcile_requested_at: A person's wish to look again.
        restart_requested_at: A person's wish to start again.
        deleted_at: deletionTimestamp in unix seconds (Kubernetes' clock).
        leaving: Whether it is one of two endpoints that is to go, and not the resource.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created_at: float
    deleting: bool
    held: bool
    owner_uid: str | None
    spec: Spec
    claim: str | None = None
    restored_copy: str | None = None
    release: frozenset[str] = frozenset()
    reconcile_requested_at: str | None = None
    restart_requested_at: str | None = None
    deleted_at: float | None = None
    leaving: bool = False

    @property
    def started(self) -> bool:
        """Whether it is to run."""
        return self.spec.state is State.STARTED

    @property
    def bounds(self) -> Bounds:
        """Replica bounds, the absent maximum filled in."""
        wanted = self.spec.autoscaling
        least = wanted.min_replicas
        return Bounds(least, least if wanted.max_replicas is None else wanted.max_replicas)

    @property
    def human_name(self) -> str:
        """The display name without its marker."""
        return self.spec.display_name or f"{self.namespace}/{self.name}"

    def endpoint_name(self, cluster: str) -> str:
        """The name of the endpoint where names are unique: as asked for, or one of our own.

        Args:
            cluster: The cluster id: the same manifest in two clusters makes two endpoints.
        """
        if self.spec.v2 is not None and self.spec.v2.endpoint_name is not None:
            return self.spec.v2.endpoint_name
        suffix = digest(f"{cluster}/{self.namespace}/{self.name}", 5)
        # A dot may be in a resource's name and not in an endpoint's.
        return f"{self.name.replace('.', '-')[: NAME_LIMIT - 6].rstrip('-')}-{suffix}"

    @property
    def immutable(self) -> str:
        """Five letters that stand for what a deployment cannot change."""
        spec = self.spec
        config = spec.v2.config_id if spec.v2 is not None else None
        # Either generation's spelling names the same hardware.
        hardware = v1_hardware(spec.hardware)
        zone, speculative = spec.availability_zone or "", spec.speculative_decoding.value
        return digest("|".join((spec.model, hardware, config or "", zone, speculative)), 5)

    def beside(self, api: Api, *, leaving: bool, policy: DeletionPolicy) -> Desired:
        """What is asked of the other endpoint of a migration, as if it were alone.

        Args:
            api: The generation that it is in.
            leaving: Whether it is given up though the resource lives.
            policy: What becomes of it when it goes.
        """
        update: dict[str, object] = {
            "api": api,
            "adopt": None,
            "connection": None,
            "deletion_policy": policy,
        }
        return replace(
            self,
            deleting=self.deleting or leaving,
            leaving=leaving and not self.deleting,
            spec=self.spec.model_copy(update=update),
            restored_copy=None,
        )

    def policy(self, *, adopted: bool) -> DeletionPolicy:
        """What becomes of the endpoint when the resource goes.

        Args:
            adopted: Whether the endpoint was there before the resource.
        """
        if self.spec.deletion_policy is not None:
            return self.spec.deletion_policy
        return DeletionPolicy.RETAIN if adopted else DeletionPolicy.DELETE

    def order(self, marker: Marker, *, started: bool, name: str = "") -> Order:
        """Everything that a create sends.

        Args:
            marker: The attempt's mark.
            started: Whether it is to run at once.
            name: The endpoint's name, where names are unique.
        """
        speculative = {
            SpeculativeDecoding.AUTO: None,
            SpeculativeDecoding.ENABLED: True,
            SpeculativeDecoding.DISABLED: False,
        }[self.spec.speculative_decoding]
        return Order(
            model=self.spec.model,
            hardware=self.spec.hardware,
            bounds=self.bounds,
            display_name=marker.write(self.human_name),
            started=started,
            inactive_timeout_minutes=self.spec.inactive_timeout_minutes,
            speculative_decoding=speculative,
            availability_zone=self.spec.availability_zone,
            endpoint_name=name,
            config=self.spec.v2.config_id if self.spec.v2 is not None else None,
        )

    def change(
        self,
        marker: Marker | None,
        *,
        display_name: str,
        bounds: Bounds,
        inactive_timeout_minutes: int | None,
    ) -> Change:
        """What an update has to send, given what is there.

        Args:
            marker: The mark to keep in the name; `None` leaves the name alone.
            display_name: The name that Together has.
            bounds: The bounds that Together has.
            inactive_timeout_minutes: The minutes that Together last acknowledged, if known.
        """
        name = display_name if marker is None else marker.write(self.human_name)
        minutes = self.spec.inactive_timeout_minutes
        return Change(
            display_name=name if name != display_name else None,
            bounds=self.bounds if self.bounds != bounds else None,
            inactive_timeout_minutes=minutes if minutes != inactive_timeout_minutes else None,
        )
