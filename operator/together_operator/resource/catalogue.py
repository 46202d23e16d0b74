"""What each condition reason means and what to do about it: the reference behind the one word.

The documentation prints this table and tests hold it against the enum, so that no reason can be
added without an explanation for the person who will meet it at night.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from together_operator.resource.names import (
    CLAIM,
    RECONCILE_REQUESTED_AT,
    RELEASE,
    RESTART_REQUESTED_AT,
    RESTORED_COPY,
)
from together_operator.resource.reasons import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in words.

    Attributes:
        meaning: What is the case.
        next_step: What the person does, if anything.
    """

    meaning: str
    next_step: str


_NOTHING: Final = "Nothing: the operator is at work."

REASONS: Final[dict[Reason, Explanation]] = {
    Reason.CREATING: Explanation(
        "The endpoint is being created, or Together is still provisioning it.",
        "Nothing: it takes minutes, and costs nothing until it runs.",
    ),
    Reason.CLAIMING: Explanation(
        "A request to create the endpoint got no clear answer. The operator finds out whether it"
        " took effect before it asks again, so that there are never two.",
        "Nothing: it resolves within minutes.",
    ),
    Reason.ADOPTING: Explanation(
        "The endpoint of `spec.adopt` is being looked at and taken over. Nothing is ordered.",
        "Nothing: it takes seconds.",
    ),
    Reason.SCALING: Explanation("The replica bounds are being changed.", _NOTHING),
    Reason.STARTING: Explanation(
        "The endpoint is being started.",
        "Nothing: it takes minutes. If Together refuses, the reason changes to why.",
    ),
    Reason.STOPPING: Explanation("The endpoint is being stopped, as asked.", _NOTHING),
    Reason.RENAMING: Explanation("The display name is being changed.", _NOTHING),
    Reason.REPLACING: Explanation(
        "Another deployment is coming up in the place of the current one, which serves meanwhile;"
        " both are billed. Or the former one is being removed.",
        "Nothing: it takes minutes, an hour at most. To call it off, take the change back.",
    ),
    Reason.MIGRATING: Explanation(
        "The endpoint moves from API v1 to v2: another one is being made on v2 beside the first,"
        " which goes on serving; or the one that is given up is being removed.",
        "Nothing: it takes minutes. To call it off, set `spec.api` back.",
    ),
    Reason.MIGRATION_UNCONFIRMED: Explanation(
        "The endpoint of API v2 serves beside that of v1, under another name. Both are billed.",
        "Move what asks for the former name (`status.name`) to the new one (`status.inference`),"
        " then set `spec.migration.confirm` to true: the endpoint of v1 is removed as"
        " `spec.deletionPolicy` says. To stay with v1, set `spec.api` back.",
    ),
    Reason.UPDATING: Explanation("Another setting of the endpoint is being changed.", _NOTHING),
    Reason.PROBING: Explanation(
        "Together says that the endpoint is started; the operator waits for a first answer from"
        " the model.",
        "Nothing: it takes seconds to minutes.",
    ),
    Reason.WAITING_FOR_CAPACITY: Explanation(
        "Together has no free hardware of this kind. The operator keeps asking.",
        "Wait, or lower `spec.autoscaling.minReplicas`, or drop `spec.availabilityZone`. While no"
        " endpoint exists, or with `spec.replacement: Swap`, `spec.hardware` can be changed too.",
    ),
    Reason.RATE_LIMITED: Explanation(
        "Together asked to send fewer requests (429). The operator waits as long as it was told.",
        "Nothing. If it stays, look for other users of the same key.",
    ),
    Reason.SERVING: Explanation(
        "The endpoint is as asked and answers.",
        "Nothing. Send requests with `model` set to `status.inference.model`.",
    ),
    Reason.STOPPED: Explanation(
        "The endpoint is stopped, as asked, and costs nothing.",
        "Nothing. Set `spec.state: Started` to start it; on most accounts Together no longer"
        " starts a stopped endpoint of API v1.",
    ),
    Reason.IDLE_STOPPED: Explanation(
        "Together stopped the endpoint after `spec.inactiveTimeoutMinutes` without traffic. It"
        " stays stopped, and costs nothing.",
        f"To start it again, set the annotation `{RESTART_REQUESTED_AT}` to a new value, such as"
        " the time.",
    ),
    Reason.STOPPED_REMOTELY: Explanation(
        "The endpoint was stopped at Together, neither by this resource nor for inactivity.",
        "Find out who stopped it. Then set `spec.state: Stopped` to keep it so, or the annotation"
        f" `{RESTART_REQUESTED_AT}` to a new value to start it again.",
    ),
    Reason.UNREACHABLE: Explanation(
        "Together does not answer. What is known is kept; the operator keeps trying.",
        "Check the network of the operator's pod and Together's status page if it stays.",
    ),
    Reason.SECRET_MISSING: Explanation(
        "There is no API key to use: the Secret or the key in it does not exist, or this namespace"
        " may not use the operator's own key.",
        "Create the Secret that `spec.apiKeySecretRef` names, with the API key under its `key`; or"
        " have the operator's administrator allow this namespace.",
    ),
    Reason.UNAUTHORIZED: Explanation(
        "Together rejects the API key (401).",
        "Put a valid key into the Secret; the operator notices by itself within a minute or two.",
    ),
    Reason.FORBIDDEN: Explanation(
        "Together refuses the request for this key (403) without saying more. After a change of"
        " tier or payment this can last 15 minutes.",
        "If it stays, check at Together what the key's project may do.",
    ),
    Reason.PAYMENT_REQUIRED: Explanation(
        "Together asks for payment (402): a spending limit is reached or the credits are used up.",
        "Add credits or raise the limit at Together; the operator goes on by itself.",
    ),
    Reason.V1_CLOSED: Explanation(
        "API v1 is closed for this account: Together neither creates nor starts endpoints there;"
        " and `spec.api` is `V1`, or the endpoint is one of v1.",
        "Where nothing exists yet, set `spec.api` to `Auto` or `V2`. An endpoint of v1 is moved by"
        " `V2`: another one is made on v2, and the first goes once that is confirmed.",
    ),
    Reason.INVALID_MODEL: Explanation(
        "Together does not know the model, or does not offer it on dedicated hardware.",
        "Correct `spec.model`; the message holds Together's words.",
    ),
    Reason.INVALID_HARDWARE: Explanation(
        "Together does not offer this hardware for this model.",
        "Set `spec.hardware` to one that the message lists, with its availability and price.",
    ),
    Reason.INVALID_ZONE: Explanation(
        "Together does not know the availability zone.",
        "Set `spec.availabilityZone` to one that the message lists, or remove it.",
    ),
    Reason.CONFIG_REQUIRED: Explanation(
        "API v2 can run the model on this hardware in several ways, for instance with different"
        " quantizations, and does not choose. Nothing was bought.",
        "Set `spec.v2.configID` to one of the configs that the message lists.",
    ),
    Reason.INVALID_REQUEST: Explanation(
        "Together refuses the request for another definite reason, or the stored resource is not"
        " valid for this version of the operator.",
        "Correct what the message names.",
    ),
    Reason.NOT_ALLOWED: Explanation(
        "The operator's settings do not allow it: the hardware, the number of replicas or the"
        " price per hour. Nothing was bought.",
        "Stay within the limits that the message names, or ask the operator's administrator.",
    ),
    Reason.UNSUPPORTED: Explanation(
        "The generation of the API that carries the endpoint cannot fulfil a requirement, such as a"
        " zone or an idle timeout on API v2.",
        "Remove the field that the message names; while no endpoint exists, `spec.api` can be"
        " changed too.",
    ),
    Reason.NAME_TAKEN: Explanation(
        "The project has an endpoint of this name on API v2, where names are unique, and it is not"
        " this resource's. Nothing was ordered.",
        "Set `spec.v2.endpointName` to a name that is free, or delete the other endpoint at"
        " Together if it is not needed; the operator goes on by itself.",
    ),
    Reason.ENDPOINT_CONFLICT: Explanation(
        "Another resource manages the same endpoint, and was first.",
        "Delete one of the two; the one that is not in charge never touches the endpoint.",
    ),
    Reason.CREDENTIAL_MISMATCH: Explanation(
        "The key in the Secret belongs to an account or project that does not have the recorded"
        " endpoint. The earlier key is still used for stopping and deleting.",
        "Put a key of the endpoint's own project into the Secret.",
    ),
    Reason.RESTORED_COPY: Explanation(
        "The resource was restored from a backup of another one, whose endpoint may still live.",
        f"Set the annotation `{RESTORED_COPY}` to `Adopt` to take over that endpoint, or to `New`"
        " to create another.",
    ),
    Reason.ADOPTION_REFUSED: Explanation(
        "The endpoint of `spec.adopt` is not taken over: it does not exist in the key's project,"
        " it is another one than the spec says, or another resource or cluster has it. Nothing was"
        " changed at Together.",
        "Do what the message says; it names every difference.",
    ),
    Reason.REMOTE_MISSING: Explanation(
        "The endpoint was deleted at Together, not by this resource.",
        "Set `spec.onMissing: Recreate` to have another one. Or delete this resource, and apply it"
        " again (without `spec.adopt`) if an endpoint is still wanted.",
    ),
    Reason.ATTEMPTS_EXHAUSTED: Explanation(
        "Several requests to create the endpoint got no clear answer, and none took effect. The"
        " operator sends no further one, and goes on looking.",
        f"Check Together's status page and the account; then set the annotation `{CLAIM}` to the"
        " ID of an endpoint that a request made after all, or to `none` to try again.",
    ),
    Reason.INCONCLUSIVE_SCAN: Explanation(
        "After an unclear answer the operator cannot tell whether a new endpoint at Together is"
        " this resource's.",
        f"Look at the endpoints that the message names. Set the annotation `{CLAIM}` to the ID of"
        " the one that is this resource's, or to `none`.",
    ),
    Reason.MARKERS_LOST: Explanation(
        "Together does not keep the marker by which the operator recognises its endpoints, so an"
        " unclear answer cannot be settled.",
        f"Look at Together's console. Set the annotation `{CLAIM}` to the ID of this resource's"
        " endpoint, or to `none`.",
    ),
    Reason.ENDPOINT_FAILED: Explanation(
        "Together reports that the endpoint failed; the message holds the cause where Together"
        " tells one, as on API v2.",
        f"Set the annotation `{RESTART_REQUESTED_AT}` to a new value to try a start (on API v2 with"
        " another deployment), or delete this resource and apply it again; ask Together's support"
        " with `status.endpointID`.",
    ),
    Reason.REPLACEMENT_FAILED: Explanation(
        "The deployment that was to take the place of the current one did not come up, and was"
        " removed. The current one goes on serving, as `Available` says.",
        "Correct `spec.model`, `spec.hardware` or what else was changed, or take the change back;"
        f" to try the same once more, set the annotation `{RECONCILE_REQUESTED_AT}` to a new"
        " value.",
    ),
    Reason.CONNECTION_CONFLICT: Explanation(
        "A ConfigMap of the name in `spec.connection` exists and belongs to somebody else. It is"
        " left as it is.",
        "Choose another `spec.connection.configMapName`, or delete that ConfigMap.",
    ),
    Reason.SUSPENDED: Explanation(
        "`spec.suspend` is true and something differs from what is asked for.",
        "Set `spec.suspend: false` to let the operator carry it out.",
    ),
    Reason.DELETING: Explanation(
        "The endpoint is being deleted; the resource goes once Together confirms that it is gone.",
        _NOTHING,
    ),
    Reason.DELETION_BLOCKED: Explanation(
        "The endpoint cannot be deleted, or cannot be confirmed gone; it may still cost money.",
        "Do what the message says. To let the resource go nevertheless, set the annotation"
        f" `{RELEASE}` to the endpoint's ID, or to `unresolved` where an attempt to create is"
        " open; the endpoint is then yours to remove.",
    ),
    Reason.DELETION_SUSPENDED: Explanation(
        "The resource is to be deleted while `spec.suspend` is true; the endpoint still runs.",
        "Set `spec.suspend: false` to delete the endpoint too, or `spec.deletionPolicy: Retain` to"
        " keep it.",
    ),
}
"""Every reason, explained."""
