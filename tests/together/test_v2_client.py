"""API v2's answers by verb: what they mean, where they were asked for, and how often."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.together.fake import KEY, Answer, FakeTogether, listed, nested, together
from together_operator.together import (
    CreateDeployment,
    CreateRoutedEndpoint,
    Credential,
    Kind,
    ReplicaBoundsV2,
    UpdateDeployment,
    UpdateRoutedEndpoint,
    V2Client,
    Weight,
    results,
)

ENDPOINT: dict[str, Any] = {"id": "ep_1", "name": "team/mixtral", "etag": "e1"}
DEPLOYMENT: dict[str, Any] = {"id": "dep_1", "name": "team/mixtral/first"}
ORDER = CreateDeployment(
    name="first",
    model="projects/p/models/m",
    config="projects/p/configs/c",
    autoscaling=ReplicaBoundsV2(min_replicas=1, max_replicas=1),
)
STOP = UpdateDeployment(autoscaling=ReplicaBoundsV2(min_replicas=0, max_replicas=0), etag="e1")


def ok(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("http://together.test/v1", "http://together.test"),
        ("http://together.test/v1/", "http://together.test"),
        ("http://proxy.test/together/v1", "http://proxy.test/together"),
        ("http://together.test", "http://together.test"),
    ],
)
async def test_v2_is_a_sibling_of_the_base_url(base_url: str, root: str) -> None:
    fake = together(ok(listed()))
    client = fake.client_v2(base_url)
    await client.list_endpoints("proj_1")
    await client.catalogue.whoami()
    assert [str(request.url) for request in fake.requests] == [
        f"{root}/v2/projects/proj_1/endpoints",
        f"{root}/v3/whoami",
    ]


@pytest.mark.parametrize(
    ("base_url", "inference"),
    [
        ("https://api.together.ai/v1", "https://api-inference.together.ai/v1"),
        ("https://api.together.ai/v1/", "https://api-inference.together.ai/v1"),
        ("https://api.together.xyz/v1", "https://api.together.xyz/v1"),
        ("https://proxy.test/together/v1", "https://proxy.test/together/v1"),
        ("http://127.0.0.1:8900/v1", "http://127.0.0.1:8900/v1"),
    ],
)
async def test_only_the_public_api_has_another_host_for_inference(
    base_url: str, inference: str
) -> None:
    fake = together(ok({}))
    client = fake.client_v2(base_url)
    assert client.inference_base_url == inference
    await client.probe("team/mixtral")
    await client.get_endpoint("p", "ep_1")
    probe, management = (str(request.url) for request in fake.requests)
    assert probe == f"{inference}/chat/completions"
    assert management == f"{base_url.rstrip('/').removesuffix('/v1')}/v2/projects/p/endpoints/ep_1"


async def post(client: V2Client, what: str) -> object:
    if what == "endpoint":
        return await client.create_endpoint("p", CreateRoutedEndpoint(name="mixtral"))
    if what == "deployment":
        return await client.create_deployment("p", "ep_1", ORDER)
    return await client.check_deployment("p", "ep_1", ORDER)


POSTS = pytest.mark.parametrize("what", ["endpoint", "deployment", "dry run"])


@POSTS
@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        nested(408, "Timeout"),
        nested(500, "Boom"),
        nested(503, "Boom"),
        httpx.Response(409, text="upstream conflict"),
        httpx.Response(400, text="upstream trouble"),
        httpx.Response(200, text="not JSON"),
    ],
)
async def test_a_post_in_doubt_stays_in_doubt_and_is_not_repeated(
    what: str, answer: Answer
) -> None:
    fake = together(answer)
    assert isinstance(await post(fake.client_v2(), what), results.Ambiguous)
    assert len(fake.requests) == 1


@POSTS
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "unknown field 'x'", Kind.INVALID),
        (402, "No credits", Kind.PAYMENT_REQUIRED),
        (403, "Forbidden", Kind.FORBIDDEN),
        (404, "Endpoint 'ep_1' not found", Kind.NOT_FOUND),
        (409, "An endpoint named 'mixtral' already exists", Kind.TAKEN),
        (429, "GPU quota exceeded", Kind.NO_CAPACITY),
        (429, "Too many requests", Kind.RATE_LIMITED),
    ],
)
async def test_a_refused_post_made_nothing(
    what: str, status: int, message: str, kind: Kind
) -> None:
    fake = together(nested(status, message))
    seen = await post(fake.client_v2(), what)
    assert isinstance(seen, results.Refused)
    assert (seen.kind, seen.status) == (kind, status)
    assert len(fake.requests) == 1


@POSTS
async def test_a_post_that_did_not_leave(what: str) -> None:
    fake = together(httpx.ConnectError("refused"))
    assert isinstance(await post(fake.client_v2(), what), results.NotSent)


async def test_a_fence_keeps_a_create_here() -> None:
    fake = together(ok(DEPLOYMENT))
    seen = await fake.client_v2().create_deployment("p", "ep_1", ORDER, fence=lambda: False)
    assert isinstance(seen, results.NotSent)
    assert fake.requests == []


async def change(client: V2Client, what: str) -> object:
    match what:
        case "split":
            wanted = UpdateRoutedEndpoint(traffic_split=(Weight(deployment_id="dep_1", weight=1),))
            return await client.update_endpoint("p", "ep_1", wanted)
        case "bounds":
            return await client.update_deployment("p", "ep_1", "dep_1", STOP)
        case "delete endpoint":
            return await client.delete_endpoint("p", "ep_1", etag="e1")
        case _:
            return await client.delete_deployment("p", "ep_1", "dep_1")


CHANGES = pytest.mark.parametrize("what", ["split", "bounds", "delete endpoint", "delete one"])


@CHANGES
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (nested(409, "etag does not match"), Kind.STALE),
        (nested(412, "Precondition failed"), Kind.STALE),
        (nested(409, "Rollout rol_1 is active"), Kind.BUSY),
        (nested(400, "scale it to 0 and wait"), Kind.INVALID),
    ],
)
async def test_a_refused_change_is_not_repeated(what: str, answer: Answer, kind: Kind) -> None:
    fake = together(answer)
    seen = await change(fake.client_v2(), what)
    assert isinstance(seen, results.Refused)
    assert seen.kind is kind
    assert len(fake.requests) == 1


@CHANGES
async def test_a_change_is_sent_again_only_if_it_did_not_leave(what: str) -> None:
    fake = together(httpx.ConnectError("refused"), ok({**ENDPOINT, **DEPLOYMENT}))
    assert isinstance(await change(fake.client_v2(), what), results.Ok)
    assert len(fake.requests) == 2
    for lost in (httpx.ReadError("reset"), nested(503, "Boom"), nested(429, "Slow down")):
        fake = together(lost)
        assert isinstance(await change(fake.client_v2(), what), results.Unavailable)
        assert len(fake.requests) == 1


@CHANGES
async def test_a_change_is_held_back_where_nothing_may_change(what: str) -> None:
    fake = together(ok({**ENDPOINT, **DEPLOYMENT}))
    client = V2Client(
        fake.wire("http://together.test/v1", may_change=lambda: False), Credential(KEY)
    )
    assert isinstance(await change(client, what), results.NotSent)
    assert fake.requests == []


@CHANGES
async def test_what_is_gone_is_absent(what: str) -> None:
    seen = await change(together(nested(404, "not found")).client_v2(), what)
    assert isinstance(seen, results.Absent)


async def test_the_etag_is_where_v2_reads_it() -> None:
    fake = together(ok(DEPLOYMENT))
    await change(fake.client_v2(), "bounds")
    await change(fake.client_v2(), "delete endpoint")
    patched, deleted = fake.requests
    assert dict(patched.url.params) == {"updateMask": "autoscaling"}
    assert fake.requests[0].content == (
        b'{"autoscaling":{"minReplicas":0,"maxReplicas":0},"etag":"e1"}'
    )
    assert dict(deleted.url.params) == {"etag": "e1"}


def pages(*answers: dict[str, Any]) -> FakeTogether:
    return together(*(ok(answer) for answer in answers))


async def test_pages_are_put_together() -> None:
    fake = pages(
        listed(ENDPOINT, next_cursor="c1"),
        listed({**ENDPOINT, "id": "ep_2"}, next_cursor="c2"),
        listed(next_cursor=None),
    )
    seen = await fake.client_v2().list_endpoints("p", name="mixtral")
    assert isinstance(seen, results.Ok)
    assert [one.id for one in seen.value] == ["ep_1", "ep_2"]
    asked = [dict(request.url.params) for request in fake.requests]
    assert asked[0] == {"filter": 'name="mixtral"'}
    assert [one.get("after") for one in asked] == [None, "c1", "c2"]


@pytest.mark.parametrize(
    "answers",
    [
        [listed(ENDPOINT, next_cursor="same")],
        [listed(ENDPOINT, next_cursor="a"), listed(next_cursor="b"), listed(next_cursor="a")],
    ],
)
async def test_pages_that_never_end_are_no_list(answers: list[dict[str, Any]]) -> None:
    assert isinstance(await pages(*answers).client_v2().list_endpoints("p"), results.Unavailable)


async def test_a_list_with_a_page_missing_is_no_list() -> None:
    fake = together(ok(listed(ENDPOINT, next_cursor="c1")), nested(400, "after is no cursor"))
    assert isinstance(await fake.client_v2().list_endpoints("p"), results.Refused)
    fake = together(ok(listed(ENDPOINT, next_cursor="c1")), httpx.ReadError("reset"))
    assert isinstance(await fake.client_v2().list_endpoints("p"), results.Unavailable)
    # A page is asked for again as any read is.
    fake = together(
        ok(listed(ENDPOINT, next_cursor="c1")), nested(503, "Boom"), ok(listed(DEPLOYMENT))
    )
    seen = await fake.client_v2().list_deployments("p", "ep_1")
    assert isinstance(seen, results.Ok)
    assert len(seen.value) == 2
