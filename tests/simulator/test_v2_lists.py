"""Lists of API v2: pages, filters, orders, embedded summaries, lag."""

from __future__ import annotations

import pytest

from tests.simulator.api_v2 import STOPPED, ApiV2
from together_local.simulator import Simulator


async def paged(api: ApiV2, path: str, **query: object) -> list[list[str]]:
    """Return the ids of all pages."""
    pages = []
    while True:
        answer = await api.ok("GET", path, **query)
        pages.append([one["id"] for one in answer["data"]])
        assert answer["object"] == "list"
        if answer["next_cursor"] is None:
            return pages
        query["after"] = answer["next_cursor"]


async def test_pages_by_cursor(api_v2: ApiV2, together: Simulator) -> None:
    made = []
    for number in range(5):
        made.append((await api_v2.endpoint(f"e{number}"))["id"])
        together.console.advance(1)
    assert await paged(api_v2, "/endpoints", limit=2) == [
        [made[4], made[3]],
        [made[2], made[1]],
        [made[0]],
    ]
    assert await paged(api_v2, "/endpoints", limit=2, orderBy="created_at") == [
        made[0:2],
        made[2:4],
        made[4:],
    ]
    # Exactly full pages end without an empty one.
    assert [len(page) for page in await paged(api_v2, "/endpoints", limit=5)] == [5]


async def test_a_page_bears_what_comes_and_goes(api_v2: ApiV2, together: Simulator) -> None:
    made = [(await api_v2.endpoint(f"e{number}"))["id"] for number in range(4)]
    first = await api_v2.ok("GET", "/endpoints", limit=2)
    await api_v2.endpoint("newcomer")
    await api_v2.ok("DELETE", f"/endpoints/{first['data'][1]['id']}")
    together.console.advance(60)
    rest = await api_v2.listed(after=first["next_cursor"])
    assert rest == [made[1], made[0]]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"after": "x"}, {"after": "e30"}]
)
async def test_a_wrong_page(api_v2: ApiV2, query: dict[str, str]) -> None:
    for path in ("/endpoints", "/models", "/placement-profiles"):
        status, message = await api_v2.refused("GET", path, **query)
        assert (status, next(iter(query)) in message) == (400, True)


async def test_other_lists_have_pages_too(api_v2: ApiV2) -> None:
    first = await api_v2.deploy(name="d0")
    path = f"/endpoints/{first['endpointId']}/deployments"
    for number in (1, 2):
        await api_v2.ok("POST", path, await api_v2.body(name=f"d{number}"))
    assert [len(page) for page in await paged(api_v2, path, limit=2)] == [2, 1]
    events = f"/endpoints/{first['endpointId']}/events"
    pages = await paged(api_v2, events, limit=3)
    assert len({one for page in pages for one in page}) == sum(len(page) for page in pages) >= 7
    answer = await api_v2.http.get("/v2/supported-models", params={"limit": 1})
    assert answer.json()["next_cursor"]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('name="mixtral"', {"mixtral"}),
        ('name = "default/mixtral"', {"mixtral"}),
        ('name="mixtra"', set()),
        ('name="mixtral*"', {"mixtral", "mixtral-2"}),
        ('name="*-2"', {"mixtral-2"}),
        ("name:xtra", {"mixtral", "mixtral-2"}),
        ('name!="mixtral"', {"mixtral-2", "other"}),
        ('NOT name:mix AND name="other"', {"other"}),
        ('name="other" OR name="mixtral"', {"mixtral", "other"}),
        ('(name="other" OR name:mix) AND NOT name:"2"', {"mixtral", "other"}),
        ('created_at > "2020-01-01T00:00:00Z" AND name=other', {"other"}),
        ('updated_at <= "2020-01-01T00:00:00Z"', set()),
    ],
)
async def test_filters(api_v2: ApiV2, expression: str, found: set[str]) -> None:
    for name in ("mixtral", "mixtral-2", "other"):
        await api_v2.endpoint(name)
    data = (await api_v2.ok("GET", "/endpoints", filter=expression))["data"]
    assert {one["name"].removeprefix("default/") for one in data} == found


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "name",
            "name=",
            'name="x" AND',
            '(name="x"',
            'name="x")',
            'name~"x"',
            'id="x"',
            'name<"x"',
        ),
        *(
            'created_at>"yesterday"',
            'created_at>"2026-01-01"',
            'state="x"',
            'name="x" name="y"',
            '"',
        ),
    ],
)
async def test_a_wrong_filter(api_v2: ApiV2, expression: str) -> None:
    status, message = await api_v2.refused("GET", "/endpoints", filter=expression)
    assert (status, "invalid filter" in message) == (400, True)


async def test_deployments_are_filtered_by_more(api_v2: ApiV2) -> None:
    running = await api_v2.deploy(name="running")
    path = f"/endpoints/{running['endpointId']}/deployments"
    body = await api_v2.body(name="stopped", autoscaling={"minReplicas": 0})
    stopped = await api_v2.ok("POST", path, body)
    assert await api_v2.listed(path, filter=f'state="{STOPPED}"') == [stopped["id"]]
    named = 'name="default/mixtral/running"'
    assert await api_v2.listed(path, filter=named) == [running["id"]]
    both = f'model="{running["model"]}" AND NOT state="{STOPPED}"'
    assert await api_v2.listed(path, filter=both) == [running["id"]]
    assert (await api_v2.refused("GET", path, orderBy="name"))[0] == 400


async def test_an_order_by_the_last_change(api_v2: ApiV2, together: Simulator) -> None:
    first = await api_v2.endpoint("first")
    together.console.advance(5)
    second = await api_v2.endpoint("second")
    together.console.advance(5)
    body = {"visibility": "VISIBILITY_INTERNAL"}
    await api_v2.ok("PATCH", f"/endpoints/{first['id']}", body)
    assert await api_v2.listed(orderBy="updated_at desc") == [first["id"], second["id"]]
    assert await api_v2.listed(orderBy="created_at desc") == [second["id"], first["id"]]
    shared = await api_v2.http.get("/v2/organizations/org-local/endpoints")
    assert [one["id"] for one in shared.json()["data"]] == [first["id"]]


async def test_at_most_ten_summaries_are_embedded(api_v2: ApiV2) -> None:
    first = await api_v2.deploy(name="d0", autoscaling={"minReplicas": 0})
    path = f"/endpoints/{first['endpointId']}"
    for number in range(1, 12):
        body = await api_v2.body(name=f"d{number}", autoscaling={"minReplicas": 0})
        await api_v2.ok("POST", f"{path}/deployments", body)
    embedded = (await api_v2.ok("GET", path))["deployments"]
    assert [one["name"].rsplit("/", 1)[-1] for one in embedded] == [
        f"d{number}" for number in range(11, 1, -1)
    ]
    assert embedded[0]["state"] == STOPPED
    assert len(await api_v2.listed(f"{path}/deployments")) == 12


async def test_lists_lag(api_v2: ApiV2, together: Simulator) -> None:
    together.console.assume({"create_list_lag_seconds": 5, "create_get_lag_seconds": 3})
    deployment = await api_v2.deploy(autoscaling={"minReplicas": 0})
    path = f"/endpoints/{deployment['endpointId']}"
    assert await api_v2.listed() == []
    assert (await api_v2.refused("GET", path))[0] == 404
    together.console.advance(3)
    assert await api_v2.listed(f"{path}/deployments") == []
    assert (await api_v2.ok("GET", path))["id"] == deployment["endpointId"]
    together.console.advance(2)
    assert await api_v2.listed(f"{path}/deployments") == [deployment["id"]]
    await api_v2.ok("DELETE", f"{path}/deployments/{deployment['id']}")
    assert await api_v2.listed(f"{path}/deployments") == [deployment["id"]]
    assert (await api_v2.ok("GET", path))["deployments"] == []
    together.console.advance(10)
    assert await api_v2.listed(f"{path}/deployments") == []
