"""One TogetherEndpoint as the API server returns it, read once and then only handed on.

Everything behind this module works with typed, immutable values; the raw mapping of Kubernetes
ends here. So does the one way in which a stored resource can be unreadable: its spec predates a
rule of the CRD, or a newer CRD gave it a field that this operator does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from together_operator.resource.spec import Spec
from together_operator.resource.status import Status
from together_operator.resource.times import parse_time


class InvalidResource(ValueError):  # noqa: N818 (what it says of the resource, not an error name)
    """A stored resource whose spec this operator cannot carry out.

    Attributes:
        field: Path of the offending field, as a person writes it: `spec.hardware`.
        message: What is wrong with it, and the next step.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class TogetherEndpoint:
    """One reading of a resource.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        uid: Its identity; a resource of the same name made anew has another.
        generation: Counts changes of the spec.
        resource_version: Of this reading; the precondition of every write.
        creation_timestamp: Unix seconds by Kubernetes' clock.
        deletion_timestamp: Unix seconds by Kubernetes' clock, or `None` while it lives.
        finalizers: Who has to let go before a deletion is finished.
        annotations: All of them, ours and others'.
        spec: What is asked for.
        status: What was last told.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    creation_timestamp: float
    deletion_timestamp: float | None
    finalizers: tuple[str, ...]
    annotations: Mapping[str, str]
    spec: Spec
    status: Status

    @property
    def deleting(self) -> bool:
        """Whether it is being deleted."""
        return self.deletion_timestamp is not None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> TogetherEndpoint:
        """Read a resource as the API server returns it.

        Args:
            body: The whole object, as decoded JSON.

        Raises:
            InvalidResource: The spec is not one that this operator can carry out.
        """
        metadata = body["metadata"]
        deleted = metadata.get("deletionTimestamp")
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata["generation"],
            resource_version=metadata["resourceVersion"],
            creation_timestamp=parse_time(metadata["creationTimestamp"]),
            deletion_timestamp=None if deleted is None else parse_time(deleted),
            finalizers=tuple(metadata.get("finalizers") or ()),
            annotations=dict(metadata.get("annotations") or {}),
            spec=_spec(body.get("spec")),
            status=Status.parse(body.get("status")),
        )


def _spec(raw: Any) -> Spec:
    try:
        return Spec.model_validate({} if raw is None else raw, by_alias=True, by_name=False)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first = problems[0]
        field = ".".join(("spec", *(str(part) for part in first["loc"])))
        more = f" ({len(problems) - 1} more like it)" if len(problems) > 1 else ""
        raise InvalidResource(field, _advice(first["type"], first["msg"]) + more) from None


def _advice(kind: str, said: str) -> str:
    if kind == "extra_forbidden":
        return (
            "is not known to this version of the operator; upgrade the operator, or remove the"
            " field"
        )
    if kind == "missing":
        return "is required; set it and apply again"
    what = said.removeprefix("Value error, ")
    return f"is not valid: {what[:1].lower()}{what[1:]}; correct it and apply again"
