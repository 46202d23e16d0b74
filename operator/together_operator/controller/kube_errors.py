# ruff: noqa: N818 - named like the API server's own reasons
"""What can go wrong between the operator and the Kubernetes API server.

Each type asks for another reaction (read again, report, wait, give up), so callers branch on types
and never on status codes or texts. No error carries a request or response body: the body may be a
Secret.
"""

from __future__ import annotations

from dataclasses import dataclass


class KubeError(Exception):
    """The API server did not do what was asked. The text is fit for people and logs."""


class KubeconfigInvalid(KubeError):
    """There is no usable way to reach an API server; the text says what to set."""


class Conflict(KubeError):
    """The object changed since it was read: read it again and decide anew."""


class AlreadyExists(KubeError):
    """An object of that name exists."""


class NotFound(KubeError):
    """The object that was to be changed does not exist (any more)."""


class Rejected(KubeError):
    """The API server judged the request invalid: the same request fails again."""


class Forbidden(KubeError):
    """The operator's identity may not do this.

    Attributes:
        permission: What is missing, such as `get secrets in namespace "ml"`.
        message: What the API server said.
    """

    def __init__(self, permission: str, message: str) -> None:
        advice = (
            " Grant it in the operator's Role or ClusterRole (the Helm chart contains both)."
            if "cannot " in message
            else ""
        )
        super().__init__(f"The operator may not {permission}: {message}.{advice}")
        self.permission = permission
        self.message = message


class NamespaceTerminating(Forbidden):
    """Nothing can be created any more in a namespace that is being deleted."""


class KubeUnavailable(KubeError):
    """No answer that says anything about the object; the same request may succeed later.

    Attributes:
        retry_after: Seconds that the API server asks to wait; zero if it did not say.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Answer:
    """What an unsuccessful answer of the API server says.

    Attributes:
        status: The HTTP status code.
        reason: The word of the Status object, such as `AlreadyExists`.
        message: Its sentence; empty where it might quote a Secret.
        causes: The words of its causes.
        retry_after: The header of that name.
    """

    status: int
    reason: str
    message: str
    causes: frozenset[str]
    retry_after: str


def failure(what: str, answer: Answer) -> KubeError:
    """The type of an unsuccessful answer.

    Args:
        what: What was asked, such as `get namespaces/ml/secrets/together`.
        answer: The answer.
    """
    said = answer.message or answer.reason or f"HTTP {answer.status}"
    match answer.status:
        case 403 if "NamespaceTerminating" in answer.causes:
            return NamespaceTerminating(what, said)
        case 403:
            return Forbidden(what, said)
        case 404 if answer.reason == "NotFound":
            return NotFound(f"{what}: {said}")
        case 409 if answer.reason == "AlreadyExists":
            return AlreadyExists(f"{what}: {said}")
        case 409:
            return Conflict(f"{what}: {said}")
        case 401:
            return KubeUnavailable(f"The API server does not accept the credentials: {what}")
        case status if status in (404, 408, 410, 425, 429) or status >= 500:
            wait = float(answer.retry_after) if answer.retry_after.isdigit() else 0.0
            return KubeUnavailable(f"{what}: HTTP {status}: {said}", wait)
        case _:
            return Rejected(f"{what}: {said}")
