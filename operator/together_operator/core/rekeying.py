"""The key of a recorded endpoint: kept whatever becomes of the Secret, and changed with care.

A new key is taken into use only once it has been seen to show the endpoint, and once nothing that
was sent with the former one can still come true.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.claiming import nothing_made
from together_operator.core.removing import newly_proven
from together_operator.core.settling import Settled, said_none, settle
from together_operator.core.steps import Decision, KeepKey, Vet, Wait
from together_operator.core.waiting import keyless
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Endpoint


def keep_key(case: Case, endpoint_id: str) -> Decision | None:
    """Keep the key with which the endpoint can be seen, whatever becomes of the Secret.

    Args:
        case: The resource.
        endpoint_id: Its endpoint.

    Returns:
        The step, or the wait that a person has to know of; `None` if the key is as it is to be.
    """
    keys = case.observed.keys
    if keys.user is None:
        if keys.held is not None:
            return None
        return keyless(case, "There is no key to look at the endpoint with")
    if keys.user == keys.held:
        return None
    operation = case.operation
    if keys.held is None and operation is not None and operation.credential == keys.user:
        return case.step(KeepKey(keys.user), Reason.UPDATING, "Keeping a copy of the key")
    if case.open and operation is not None and operation.credential != keys.user:
        return _former_attempts(case)
    vetting = case.memory.vetting
    subject = (keys.user, endpoint_id)
    known = vetting is not None and (vetting.credential, vetting.endpoint_id) == subject
    if not known or vetting is None:
        return case.read(
            Vet(keys.user, endpoint_id), Reason.UPDATING, "Trying the new key on the endpoint"
        )
    if isinstance(vetting.verdict, Endpoint):
        return case.step(KeepKey(keys.user), Reason.UPDATING, "Taking the new key into use")
    if case.now >= vetting.at + case.timing.lag:
        return case.read(
            Vet(keys.user, endpoint_id), Reason.CREDENTIAL_MISMATCH, "Trying the new key again"
        )
    return _mismatch(
        case, f"this key cannot see {endpoint_id}", vetting.at + case.timing.lag - case.now
    )


def _former_attempts(case: Case) -> Decision:
    """What may yet come of the former key has to be settled with it before it is let go."""
    if said_none(case, case.open):
        return nothing_made(case)
    verdict = settle(case, case.open)
    if isinstance(verdict, Settled):
        proven = newly_proven(case, verdict.found)
        if proven is not None:
            return proven
        if not verdict.found:
            return nothing_made(case, "Nothing more came of the former key's create requests")
        return _mismatch(case, f"{verdict.found[0].id} is to be looked at first", case.timing.lag)
    if not isinstance(verdict.step, Wait) or verdict.situation.keep:
        return verdict
    if verdict.situation.reason is Reason.CLAIMING:
        return case.as_before(verdict.step.after)
    return _mismatch(
        case,
        "an earlier create request of the former key may yet take effect. If nothing of it is left"
        f" at Together, set the annotation {names.CLAIM} to 'none'",
        verdict.step.after,
    )


def _mismatch(case: Case, why: str, after: float | None = None) -> Decision:
    secret = case.desired.spec.api_key_secret_ref
    place = f"Secret {secret.name}" if secret else "the operator's settings"
    return case.wait(
        Reason.CREDENTIAL_MISMATCH,
        f"The key in {place} is not taken into use: {why}. The former key goes on serving the"
        " endpoint's deletion; put a key of the same project into place",
        after,
    )
