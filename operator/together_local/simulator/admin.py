"""The admin routes: the console over HTTP, without a key, from this machine only.

Why: tests in other processes and languages, and people with curl, set up what goes
wrong and read the ledger. Unknown fields are refused here as well: a misspelt fault
would otherwise be a test that cannot fail.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from together_local.simulator.assumptions import AssumptionError
from together_local.simulator.console import Console
from together_local.simulator.errors import ApiError
from together_local.simulator.faults import Fault
from together_local.simulator.v2.console import NewModel
from together_local.simulator.world import Profile

Limit = Annotated[int, Field(ge=0)] | None


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Keys(_Request):
    deny: list[str] = []
    allow: list[str] = []
    projects: dict[str, str] = {}


class _Advance(_Request):
    seconds: Annotated[float, Field(ge=0)]


class _Profile(_Request):
    profile: Profile


_SINCE: TypeAdapter[float | None] = TypeAdapter(float | None)
_FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])
_CAPACITY: TypeAdapter[dict[str, Limit]] = TypeAdapter(dict[str, Limit])
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


class Admin:
    """Handlers of the admin routes.

    Args:
        console: What carries them out.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the routes below ``/_sim``."""
        one = "/_sim/endpoints/{endpoint_id}"
        handlers = {
            ("GET", "/_sim/healthz"): self._health,
            ("GET", "/_sim/ledger"): self._ledger,
            ("GET", "/_sim/faults"): self._faults,
            ("POST", "/_sim/faults"): self._arm,
            ("DELETE", "/_sim/faults"): self._clear_faults,
            ("POST", "/_sim/endpoints"): self._create,
            ("POST", one): self._force,
            ("DELETE", one): self._delete,
            ("POST", "/_sim/models"): self._add_model,
            ("POST", "/_sim/keys"): self._keys,
            ("GET", "/_sim/capacity"): self._capacity,
            ("POST", "/_sim/capacity"): self._set_capacity,
            ("POST", "/_sim/advance"): self._advance,
            ("POST", "/_sim/profile"): self._profile,
            ("GET", "/_sim/assumptions"): self._assumptions,
            ("POST", "/_sim/assumptions"): self._assume,
            ("POST", "/_sim/reset"): self._reset,
        }
        for (method, path), handler in handlers.items():
            router.add_route(method, path, _guarded(handler))

    async def _health(self, _request: web.Request) -> Any:
        return self._console.health()

    async def _ledger(self, request: web.Request) -> Any:
        return self._console.ledger(_SINCE.validate_python(request.query.get("since")))

    async def _faults(self, _request: web.Request) -> Any:
        return self._console.faults()

    async def _arm(self, request: web.Request) -> Any:
        body = await _json(request)
        return self._console.arm(
            _FAULTS.validate_python(body if isinstance(body, list) else [body])
        )

    async def _clear_faults(self, _request: web.Request) -> Any:
        self._console.clear_faults()
        return []

    async def _create(self, request: web.Request) -> Any:
        return self._console.create(_OBJECT.validate_python(await _json(request)))

    async def _force(self, request: web.Request) -> Any:
        fields = _OBJECT.validate_python(await _json(request))
        return self._console.force(request.match_info["endpoint_id"], fields)

    async def _delete(self, request: web.Request) -> Any:
        self._console.delete(request.match_info["endpoint_id"])
        return {"deleted": request.match_info["endpoint_id"]}

    async def _add_model(self, request: web.Request) -> Any:
        return self._console.add_model(NewModel.model_validate(await _json(request)))

    async def _keys(self, request: web.Request) -> Any:
        keys = _Keys.model_validate(await _json(request))
        self._console.keys(keys.deny, keys.allow, keys.projects)
        return {}

    async def _capacity(self, _request: web.Request) -> Any:
        return self._console.capacity()

    async def _set_capacity(self, request: web.Request) -> Any:
        return self._console.capacity(_CAPACITY.validate_python(await _json(request)))

    async def _advance(self, request: web.Request) -> Any:
        return {"now": self._console.advance(_Advance.model_validate(await _json(request)).seconds)}

    async def _profile(self, request: web.Request) -> Any:
        profile = _Profile.model_validate(await _json(request)).profile
        self._console.set_profile(profile)
        return {"profile": profile.value}

    async def _assumptions(self, _request: web.Request) -> Any:
        return self._console.assumptions()

    async def _assume(self, request: web.Request) -> Any:
        return self._console.assume(_OBJECT.validate_python(await _json(request)))

    async def _reset(self, _request: web.Request) -> Any:
        self._console.reset()
        return {}


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise ApiError(400, "the body is not valid JSON") from None


def _guarded(
    handler: Callable[[web.Request], Awaitable[Any]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:  # noqa: S104
            return _refused(403, "the admin routes answer to this machine only")
        try:
            return web.json_response(await handler(request))
        except ApiError as error:
            return _refused(error.status, error.message)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"]) or "body"
            return _refused(400, f"{where}: {problem['msg']}")
        except AssumptionError as error:
            return _refused(400, str(error))

    return guarded


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message}}, status=status)
