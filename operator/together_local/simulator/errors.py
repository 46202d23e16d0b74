"""Errors as the API words them.

Why: clients tell refusals apart by body, not by status alone, and the official
command line matches words in the message. Every refusal is built here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

V1_CLOSED_CODE = "endpoints_v1_create_access_disabled"


class ErrorShape(StrEnum):
    """Shape of an error body; official clients cope with all of them."""

    NESTED = "nested"
    FLAT = "flat"
    RPC = "rpc"


#: google.rpc.Code by HTTP status, for bodies of the gRPC kind.
_RPC_CODES = {400: 3, 401: 16, 402: 9, 403: 7, 404: 5, 409: 10, 412: 9, 429: 8, 503: 14}
_RPC_INTERNAL = 13


class ApiError(Exception):
    """A refusal of the simulated API.

    Args:
        status: HTTP status.
        message: What the caller reads.
        kind: The body's ``type``.
        code: The body's ``code``; None where no source documents one.
        param: The request's field that is to blame.
        with_id: Put a request id beside the error, as inference routes do.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        with_id: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.with_id = with_id

    def body(self, shape: ErrorShape, request_id: str) -> dict[str, Any]:
        """Return the JSON body."""
        if shape is ErrorShape.RPC:
            number = _RPC_CODES.get(self.status, _RPC_INTERNAL)
            # The official command line shows the `detail` of the last of the details.
            reason = {"detail": self.message, "reason": self.code, "field": self.param}
            return {"code": number, "message": self.message, "details": [reason]}
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        body: dict[str, Any] = error if shape is ErrorShape.FLAT else {"error": error}
        return {"id": request_id, **body} if self.with_id else body


_DEFAULTS = {
    400: ("Bad request", "invalid_request_error", None),
    401: ("Invalid API key provided", "invalid_request_error", "invalid_api_key"),
    402: ("Insufficient balance: add credits to continue", "billing_error", "insufficient_balance"),
    403: ("Forbidden", "forbidden", None),
    404: ("Not found", "not_found", None),
    409: ("Conflict", "conflict", None),
    412: ("Precondition failed", "conflict", None),
    429: ("Too many requests", "rate_limit_error", None),
    503: ("The server is overloaded or not ready yet", "service_unavailable", None),
}


def plain_error(status: int) -> ApiError:
    """Return what the API would plausibly say with ``status``, for injected faults."""
    message, kind, code = _DEFAULTS.get(
        status, ("The server had an error", "server_error" if status >= 500 else "error", None)
    )
    return ApiError(status, message, kind=kind, code=code)


def invalid_key() -> ApiError:
    """Return the refusal of an unknown, missing or denied key."""
    return plain_error(401)


def v1_closed() -> ApiError:
    """Return the refusal of accounts on which v1 create and restart are closed."""
    return ApiError(
        403,
        "Creating and restarting dedicated endpoints with API v1 is disabled; "
        "use dedicated model inference (API v2) instead",
        code=V1_CLOSED_CODE,
    )


def endpoint_not_found(endpoint_id: str) -> ApiError:
    """Return the refusal for an id that the caller's project does not have."""
    return ApiError(404, f"Endpoint {endpoint_id!r} not found", kind="not_found")
