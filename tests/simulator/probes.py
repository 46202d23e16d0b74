"""What shows of each assumption: a value to switch it to, and where to look.

Why: an assumption that can be switched without anything being seen is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.simulator.api import MODEL, UP, Api, create_body
from tests.simulator.probes_life import (
    delete_while_starting,
    idle_stop,
    idles_out,
    idles_out_after_null_update,
    idles_out_by_null,
    long_timeout,
    patch_while_starting,
    patch_while_stopping,
    refused_request_keeps_awake,
    scaled_after_a_minute,
    serves_when_started,
    shown,
    start_from_error,
    stopped_after_a_minute,
    timeline,
)
from together_local.simulator import Profile, Simulator

Probe = Callable[[Api, Simulator], Awaitable[Any]]


async def _listed_at_once(api: Api, together: Simulator) -> Any:
    del together
    await api.create()
    return len(await api.listed())


async def _listed_after_delete(api: Api, together: Simulator) -> Any:
    created = await api.create()
    await api.delete(created["id"])
    together.console.advance(5)
    return len(await api.listed())


async def _get_after_delete(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    await api.delete(created["id"])
    return (await api.get(created["id"])).status_code


async def _second_delete(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    await api.delete(created["id"])
    return (await api.delete(created["id"])).status_code


async def _date(api: Api, together: Simulator) -> Any:
    del together
    return (await api.http.get("/hardware")).headers["Date"]


async def _min_zero(api: Api, together: Simulator) -> Any:
    del together
    return (await api.post(autoscaling={"min_replicas": 0, "max_replicas": 1})).status_code


async def _many(api: Api, together: Simulator) -> Any:
    del together
    return (await api.post(autoscaling={"min_replicas": 1, "max_replicas": 9})).status_code


async def _half(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    return (await api.patch(created["id"], autoscaling={"min_replicas": 2})).status_code


async def _long_name(api: Api, together: Simulator) -> Any:
    del together
    response = await api.post(display_name="x" * 300)
    return response.status_code, response.json().get("display_name")


async def _short_name(api: Api, together: Simulator) -> Any:
    del together
    return (await api.post(display_name="short")).json().get("display_name")


async def _same_name_twice(api: Api, together: Simulator) -> Any:
    del together
    return [(await api.post(display_name="twin")).status_code for _ in range(2)]


async def _refusal(api: Api, together: Simulator) -> Any:
    del together
    response = await api.post(hardware="")
    return response.status_code, sorted(response.json())


async def _empty_patch(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    return (await api.patch(created["id"])).status_code


async def _mine_false(api: Api, together: Simulator) -> Any:
    del together
    return (await api.http.get("/endpoints", params={"mine": "false"})).status_code


async def _order(api: Api, together: Simulator) -> Any:
    del together
    created = [(await api.create())["id"] for _ in range(3)]
    return [created.index(endpoint_id) for endpoint_id in await api.listed()]


async def _without_hardware(api: Api, together: Simulator) -> Any:
    together.console.capacity({"2x_nvidia_h100_80gb_sxm": 0})
    return (await api.post()).status_code


async def _refused_without_hardware(api: Api, together: Simulator) -> Any:
    together.console.assume({"no_capacity": "refuse"})
    return await _without_hardware(api, together)


async def _with_little_hardware(api: Api, together: Simulator) -> Any:
    together.console.capacity({"2x_nvidia_h100_80gb_sxm": 1})
    created = await api.create(autoscaling={"min_replicas": 2, "max_replicas": 2})
    together.console.advance(UP)
    return await api.state(created["id"])


async def _availability(api: Api, together: Simulator) -> Any:
    together.console.capacity({"2x_nvidia_h100_80gb_sxm": 1})
    data = (await api.http.get("/hardware", params={"model": MODEL})).json()["data"]
    return sorted(entry["availability"]["status"] for entry in data)


async def _bounce(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(UP)
    bounds = {"min_replicas": 2, "max_replicas": 2}
    return (await api.patch(created["id"], autoscaling=bounds)).json()["state"]


async def _by_id(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(UP)
    return (await api.chat(created["id"])).status_code


async def _flaps(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(UP)
    return {(await api.chat(created["name"])).status_code for _ in range(20)}


async def _extra(api: Api, together: Simulator) -> Any:
    del together
    return sorted((await api.create())["autoscaling"])


async def _bill(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.advance(130 + 90)
    await api.patch(created["id"], autoscaling={"min_replicas": 2, "max_replicas": 2})
    together.console.advance(60)
    await api.patch(created["id"], state="STOPPED")
    together.console.advance(3600)
    return together.console.ledger()["totals"]["billed_cents"]


async def _after_a_bill(api: Api, together: Simulator) -> Any:
    await _bill(api, together)
    return (await api.post()).status_code


async def _foreign(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.keys(projects={"key-a": "elsewhere"})
    return (await api.get(created["id"])).status_code


async def _mine(api: Api, together: Simulator) -> Any:
    del api
    together.console.create(
        {
            "model": MODEL,
            "hardware": "2x_nvidia_h100_80gb_sxm",
            "autoscaling": {"min_replicas": 1, "max_replicas": 1},
        }
    )
    async with Api(together.base_url, key="key-a") as mine:
        return len(await mine.listed(mine="true"))


async def _renamed_when_closed(api: Api, together: Simulator) -> Any:
    created = await api.create()
    together.console.set_profile(Profile.RETIRED)
    return (await api.patch(created["id"], display_name="x")).status_code


async def _always_answers(api: Api, together: Simulator) -> Any:
    del together
    return (await api.http.get("/hardware")).status_code


async def _get_at_once(api: Api, together: Simulator) -> Any:
    del together
    created = await api.create()
    return (await api.get(created["id"])).status_code


async def _default_name(api: Api, together: Simulator) -> Any:
    del together
    return (await api.create())["display_name"]


async def _zone_in_query(api: Api, together: Simulator) -> Any:
    del together
    query = {"availability_zone": "mars-1a"}
    request = create_body(availability_zone="us-central-4b")
    return (await api.http.post("/endpoints", json=request, params=query)).status_code


async def _bad_zone(api: Api, together: Simulator) -> Any:
    del together
    return (await api.post(availability_zone="mars-1a")).status_code


async def _many_requests(api: Api, together: Simulator) -> Any:
    del together
    responses = [await api.http.get("/endpoints") for _ in range(4)]
    return [(one.status_code, "Retry-After" in one.headers) for one in responses]


async def _many_requests_limited(api: Api, together: Simulator) -> Any:
    together.console.assume({"rate_limit_per_minute": 2})
    return await _many_requests(api, together)


SWITCHES: dict[str, tuple[Any, Probe]] = {
    "pending_seconds": (50, timeline),
    "starting_seconds": (20, timeline),
    "stopping_seconds": (100, stopped_after_a_minute),
    "serving_delay_seconds": (0, serves_when_started),
    "scale_up_seconds": (61, scaled_after_a_minute),
    "create_list_lag_seconds": (5, _listed_at_once),
    "create_get_lag_seconds": (5, _get_at_once),
    "inactive_timeout_ceiling": (1440, long_timeout),
    "inactive_timeout_shown": (True, shown),
    "display_name_default": ("name", _default_name),
    "availability_zone_from": ("query", _zone_in_query),
    "bad_zone": ("ignore", _bad_zone),
    "patch_while_starting": ("conflict", patch_while_starting),
    "delete_in_transition": ("conflict", delete_while_starting),
    "rate_limit_per_minute": (2, _many_requests),
    "rate_limit_retry_after": (False, _many_requests_limited),
    "idle_stop_path": ("direct", idle_stop),
    "delete_list_lag_seconds": (2, _listed_after_delete),
    "delete_get_lag_seconds": (2, _get_after_delete),
    "date_skew_seconds": (-3600, _date),
    "inactive_timeout_when_omitted": (0, idles_out),
    "inactive_timeout_when_null": (60, idles_out_by_null),
    "inactive_timeout_null_on_update": ("keep", idles_out_after_null_update),
    "min_replicas_floor": (1, _min_zero),
    "max_replicas_ceiling": (8, _many),
    "half_autoscaling": ("merge", _half),
    "display_name_max_length": (400, _long_name),
    "display_name_overlong": ("truncate", _long_name),
    "display_names_kept": (False, _short_name),
    "display_names_unique": (True, _same_name_twice),
    "error_shape": ("flat", _refusal),
    "validation_status": (422, _refusal),
    "foreign_endpoint_status": (403, _foreign),
    "second_delete_status": (204, _second_delete),
    "retired_patch": ("refuse", _renamed_when_closed),
    "empty_patch": ("refuse", _empty_patch),
    "patch_while_stopping": ("conflict", patch_while_stopping),
    "start_from_error": ("refuse", start_from_error),
    "mine_false": ("refuse", _mine_false),
    "mine_scope": ("key", _mine),
    "list_order": ("oldest", _order),
    "list_limit": (2, _order),
    "no_capacity": ("refuse", _without_hardware),
    "capacity_refusal_status": (503, _refused_without_hardware),
    "partial_capacity": ("queue", _with_little_hardware),
    "insufficient_below": (1, _availability),
    "patch_bounces": (True, _bounce),
    "inference_by_id": (True, _by_id),
    "not_running_share": (0.5, _flaps),
    "refused_requests_are_activity": (False, refused_request_keeps_awake),
    "extra_fields": (True, _extra),
    "minute_rounding": ("down", _bill),
    "bill_stopping": (True, _bill),
    "bill_scaling_up": (True, _bill),
    "credit_cents": (1, _after_a_bill),
    "fault_rate": (1, _always_answers),
}
