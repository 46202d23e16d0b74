"""The validation rules that OpenAPI cannot say, in CEL, each with advice for the person it refuses.

Messages follow the Kubernetes API conventions: positive, fields in back-quotes, literals in single
quotes, and the next step. Formats are rules too, rather than patterns, because a refusal by pattern
shows a regular expression where a person needs an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from together_operator.resource.names import MARKER_PATTERN


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule of the CRD.

    Attributes:
        rule: The expression; true accepts.
        message: What the person reads when it refuses: one line.
        field_path: Field that the refusal names, relative to where the rule stands.
        reason: Kubernetes' machine-readable kind of refusal.
    """

    rule: str
    message: str
    field_path: str | None = None
    reason: str = "FieldValueInvalid"

    def to_dict(self) -> dict[str, Any]:
        """The rule as the CRD holds it."""
        entry = {"rule": self.rule, "message": self.message, "reason": self.reason}
        if self.field_path is not None:
            entry["fieldPath"] = self.field_path
        return entry


def _cel(text: str) -> str:
    """A CEL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _matches(pattern: str) -> str:
    return f"self.matches({_cel(pattern)})"


_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

_ATTEMPTED = (
    "(has(oldSelf.status) && (has(oldSelf.status.endpointID)"
    " || (has(oldSelf.status.operation) && (oldSelf.status.operation.phase != 'Refused'"
    " || (has(oldSelf.status.operation.open) && size(oldSelf.status.operation.open) > 0)))))"
)
"""Whether an endpoint exists or may still come of an attempt. Read from `oldSelf`, so that wiping
the status in the same request does not open the lock; at the root, because only there is the status
in sight."""


_BUILT = (
    f"({_ATTEMPTED} && !(has(oldSelf.status.api) && oldSelf.status.api == 'V2'"
    " && has(oldSelf.status.endpointID)"
    " && (!has(oldSelf.status.deployments) || size(oldSelf.status.deployments) == 0)"
    " && (!has(oldSelf.status.operation) || !has(oldSelf.status.operation.deploying))))"
)
"""The same, but for an endpoint of API v2 in which nothing is deployed: it has only a name, and
what Together refused to deploy in it can be corrected."""


_REPLACE = (
    "create a second TogetherEndpoint with the new value, move the traffic, then delete this one"
)


def _same(field: str) -> str:
    """Both absent, or both there and equal: deleting the field must not be a way round."""
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    return f"(has({new}) == has({old}) && (!has({new}) || {new} == {old}))"


_SWAPS = (
    "(self.spec.replacement == 'Swap' && has(oldSelf.status.api) && oldSelf.status.api == 'V2'"
    " && !(has(oldSelf.status.adopted) && oldSelf.status.adopted))"
)
"""Whether the resource is one that can be given another deployment. One that was taken over has
no mark that would tell what it was made of."""


_ON_V1 = "(has(oldSelf.status) && has(oldSelf.status.api) && oldSelf.status.api == 'V1')"


def _before_migration(beyond: str) -> str:
    """Whether settings for v2 mean nothing yet: on v1, and before a move to v2 has come so far."""
    moving = "oldSelf.status.migration"
    return f"({_ON_V1} && !(has({moving}) && {beyond.format(moving)}))"


def _fixed(field: str, to_change: str) -> Rule:
    return Rule(
        rule=f"!{_BUILT} || {_same(field)} || {_SWAPS}",
        message=(
            "is fixed while an endpoint exists or an attempt to create one is open; on API v2 set"
            f" `spec.replacement` to 'Swap' to have it replaced without downtime, else {to_change}"
        ),
        field_path=f".spec.{field}",
        reason="FieldValueForbidden",
    )


def _fixed_option(option: str, free: str) -> Rule:
    def value(of: str) -> str:
        field = f"{of}.spec.v2.{option}"
        return f"(has({of}.spec.v2) && has({field}) ? {field} : '')"

    return Rule(
        rule=f"{free} || {value('self')} == {value('oldSelf')}",
        message=(
            f"is fixed while an endpoint exists or an attempt to create one is open; {_REPLACE}"
        ),
        field_path=f".spec.v2.{option}",
        reason="FieldValueForbidden",
    )


_ADOPTED = "(has(oldSelf.status) && has(oldSelf.status.adopted) && oldSelf.status.adopted)"

_GIVEN_UP = (
    "(!has(self.spec.adopt) && has(oldSelf.spec.adopt) && has(oldSelf.status.endpointID)"
    " && oldSelf.status.endpointID != oldSelf.spec.adopt.endpointID)"
)
"""Whether `adopt` is taken out, once another endpoint has come into the place of the one that it
names: from then on it only names what is gone."""

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "": (
        _fixed("model", _REPLACE),
        _fixed("hardware", _REPLACE),
        _fixed("availabilityZone", _REPLACE),
        _fixed("speculativeDecoding", _REPLACE),
        _fixed_option(
            "endpointName",
            f"!{_ATTEMPTED} || {_before_migration('has({0}.endpointID)')}",
        ),
        _fixed_option(
            "configID",
            f"!{_BUILT} || {_SWAPS} || "
            + _before_migration(
                "((has({0}.deployments) && size({0}.deployments) > 0)"
                " || (has({0}.operation) && has({0}.operation.deploying)))"
            ),
        ),
        Rule(
            rule=f"!({_ATTEMPTED} || {_ADOPTED}) || {_same('adopt')} || {_GIVEN_UP}",
            message=(
                "is fixed while an endpoint exists or an attempt to create one is open; to take"
                " over another endpoint create a second TogetherEndpoint that names it. To let go"
                " of one that was taken over, delete this resource with `deletionPolicy` 'Retain'"
            ),
            field_path=".spec.adopt",
            reason="FieldValueForbidden",
        ),
        Rule(
            rule=(
                f"!({_ATTEMPTED} || (has(oldSelf.status) && has(oldSelf.status.api)))"
                " || self.spec.api == oldSelf.spec.api"
                " || (has(oldSelf.status.api)"
                " && self.spec.api in ['Auto', oldSelf.status.api])"
                f" || ({_ON_V1} && has(oldSelf.status.endpointID) && self.spec.api == 'V2')"
            ),
            message=(
                "moves an endpoint from V1 to V2 only, and only once there is one; set it to 'Auto'"
                " or to the value of `status.api`, or create a second TogetherEndpoint with the"
                " other API, move the traffic, then delete this one"
            ),
            field_path=".spec.api",
            reason="FieldValueForbidden",
        ),
    ),
    "spec": (
        Rule(
            rule="!has(self.adopt) || has(self.apiKeySecretRef)",
            message=(
                "must be set where `spec.adopt` is: an endpoint is taken over with the resource's"
                " own key only; name a Secret of this namespace that holds a key of its project"
            ),
            field_path=".apiKeySecretRef",
            reason="FieldValueRequired",
        ),
        Rule(
            rule=(
                "self.api != 'V2' || self.inactiveTimeoutMinutes == 0"
                " || (self.inactiveTimeoutMinutes >= 30 && self.inactiveTimeoutMinutes <= 1440)"
            ),
            message=(
                "must be 0, which is never, or from 30 to 1440 minutes where `spec.api` is 'V2'"
            ),
            field_path=".inactiveTimeoutMinutes",
        ),
        Rule(
            rule="!has(self.adopt) || !has(self.availabilityZone)",
            message=(
                "must be left out where `spec.adopt` is set: Together does not tell the zone of an"
                " endpoint that exists, so it cannot be checked"
            ),
            field_path=".availabilityZone",
            reason="FieldValueForbidden",
        ),
        Rule(
            rule="!has(self.adopt) || self.speculativeDecoding == 'Auto'",
            message=(
                "must be 'Auto' where `spec.adopt` is set: Together does not tell it of an endpoint"
                " that exists, so it cannot be checked"
            ),
            field_path=".speculativeDecoding",
            reason="FieldValueForbidden",
        ),
    ),
    "spec.v2.endpointName": (
        Rule(
            rule=_matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
            message=(
                "must be lower-case letters, digits and '-', beginning and ending with a letter or"
                " digit, such as 'mixtral-prod'; the project's slug is put before it by Together"
            ),
        ),
    ),
    "spec.v2.configID": (
        Rule(
            rule=_matches(r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            message="must be the ID of a config at Together, such as 'cr_5b1c7a0e'",
        ),
    ),
    "spec.adopt.endpointID": (
        Rule(
            rule=_matches(r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            message=(
                "must be the ID of an endpoint at Together, such as"
                " 'endpoint-5b1c7a0e-6f1d-4d0c-9a57-2c1a3b0f4e11', not its name"
            ),
        ),
    ),
    "spec.model": (
        Rule(
            rule=f"{_matches(r'^[!-~]+$')} && !self.contains('://')",
            message=(
                "must be a model ID of Together without spaces, such as"
                " 'mistralai/Mixtral-8x7B-Instruct-v0.1', not a URL"
            ),
        ),
    ),
    "spec.hardware": (
        Rule(
            rule=_matches(r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
            message=(
                "must be a hardware ID of Together, such as '2x_nvidia_h100_80gb_sxm':"
                " letters, digits, '.', '_' and '-'"
            ),
        ),
    ),
    "spec.autoscaling": (
        Rule(
            rule="!has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            message=(
                "minReplicas must not exceed maxReplicas; raise `maxReplicas` first (it is the"
                " ceiling of the cost), or lower `minReplicas`"
            ),
            field_path=".minReplicas",
        ),
    ),
    "spec.autoscaling.minReplicas": (
        Rule(
            rule="self >= 1",
            message=(
                "must be at least 1; to stop the endpoint set `spec.state` to 'Stopped' instead"
            ),
        ),
    ),
    "spec.displayName": (
        Rule(
            rule=f"!{_matches('(?i)' + MARKER_PATTERN)}",
            message=(
                "must not contain ' tep-…', the marker by which the operator recognises its own"
                " endpoints; leave the marker out, the operator appends it"
            ),
        ),
        Rule(
            rule=_matches(r"^[^\x00-\x1f\x7f]*$") + " && self == self.trim()",
            message="must be one line of text that neither begins nor ends with a space",
        ),
    ),
    "spec.availabilityZone": (
        Rule(
            rule=_matches(r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"),
            message=(
                "must be a zone of Together, such as 'us-central-4b': letters, digits and '-';"
                " leave it out for any zone"
            ),
        ),
    ),
    "spec.apiKeySecretRef.name": (
        Rule(
            rule=_matches(_SUBDOMAIN),
            message=(
                "must be the name of a Secret: lower-case letters, digits, '-' and '.', beginning"
                " and ending with a letter or digit. The API key itself belongs into that Secret"
            ),
        ),
    ),
    "spec.apiKeySecretRef.key": (
        Rule(
            rule=_matches(r"^[-._a-zA-Z0-9]+$"),
            message="must be a key of the Secret's data: letters, digits, '-', '_' and '.'",
        ),
    ),
    "spec.connection.configMapName": (
        Rule(
            rule=_matches(_SUBDOMAIN),
            message=(
                "must be the name of a ConfigMap: lower-case letters, digits, '-' and '.',"
                " beginning and ending with a letter or digit"
            ),
        ),
    ),
}
"""Every rule, by the path of the schema that it stands at."""
