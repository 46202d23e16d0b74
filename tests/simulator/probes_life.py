"""What shows of the assumptions about an endpoint's life, and of what ends it."""

from __future__ import annotations

from typing import Any

from tests.simulator.api import MODEL, UP, Api, error_of
from together_local.simulator import Simulator


async def timeline(api: Api, together: Simulator) -> Any:
    created = await api.create()
    seen = []
    for _ in range(24):
        together.console.advance(10)
        seen.append((await api.get(created["id"])).json()["state"])
    seen.append((await api.chat(created["name"])).status_code)
    return seen


async def serves_when_started(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(130)
    return (await api.chat(created["name"])).status_code


async def stopped_after_a_minute(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(UP)
    await api.patch(created["id"], state="STOPPED")
    together.console.advance(60)
    return await api.state(created["id"])


async def scaled_after_a_minute(api: Api, together: Simulator) -> Any:
    together.console.assume({"extra_fields": True})
    created = await api.create()
    together.console.advance(UP)
    await api.patch(created["id"], autoscaling={"min_replicas": 2, "max_replicas": 2})
    together.console.advance(60)
    return (await api.get(created["id"])).json()["autoscaling"]["ready_replicas"]


async def idles_out(api: Api, together: Simulator, **body: Any) -> Any:
    request = {
        "model": MODEL,
        "hardware": "2x_nvidia_h100_80gb_sxm",
        "autoscaling": {"min_replicas": 1, "max_replicas": 1},
        **body,
    }
    created = (await api.http.post("/endpoints", json=request)).json()
    together.console.advance(UP + 7200)
    return await api.state(created["id"])


async def idles_out_by_null(api: Api, together: Simulator) -> Any:
    return await idles_out(api, together, inactive_timeout=None)


async def idles_out_after_null_update(api: Api, together: Simulator) -> Any:
    created = await api.create(inactive_timeout=60)
    await api.patch(created["id"], inactive_timeout=None)
    together.console.advance(UP + 7200)
    return await api.state(created["id"])


async def patch_while_stopping(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(UP)
    await api.patch(created["id"], state="STOPPED")
    return (await api.patch(created["id"], display_name="x")).status_code


async def start_from_error(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.force(created["id"], {"state": "ERROR"})
    return (await api.patch(created["id"], state="STARTED")).status_code


async def refused_request_keeps_awake(api: Api, together: Simulator) -> Any:
    created = await api.create(
        model="intfloat/multilingual-e5-large-instruct",
        hardware="1x_nvidia_h100_80gb_sxm",
        inactive_timeout=30,
    )
    together.console.advance(UP + 29 * 60)
    assert error_of(await api.chat(created["name"]))["code"] == "unsupported_model_type"
    together.console.advance(29 * 60)
    return await api.state(created["id"])


async def long_timeout(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    timeout = {"inactive_timeout": 2000}
    return (await api.post(**timeout)).status_code, (
        await api.patch(created["id"], **timeout)
    ).status_code


async def shown(api: Api, together: Simulator) -> Any:
    del together
    return sorted(await api.create())


async def patch_while_starting(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(10)
    renamed = await api.patch(created["id"], display_name="x")
    # A stop is always accepted.
    return renamed.status_code, (await api.patch(created["id"], state="STOPPED")).status_code


async def delete_while_starting(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(10)
    return (await api.delete(created["id"])).status_code


async def idle_stop(api: Api, together: Simulator) -> Any:
    created = await api.create(inactive_timeout=30)
    together.console.advance(130 + 30 * 60)
    return await api.state(created["id"])
