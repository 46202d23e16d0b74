"""The typed client of API v2 against the simulated Together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import pytest

from tests.contract.client.conftest import DENIED, KEY_A, KEY_B, MODEL, MakeWire
from together_local.simulator.client import AdminClient
from together_operator.together import (
    NOT_CONFIGURED_CODE,
    CreateDeployment,
    CreateRoutedEndpoint,
    Credential,
    Deployment,
    InlinePlacement,
    Kind,
    Placement,
    ReplicaBoundsV2,
    RoutedEndpoint,
    UpdateDeployment,
    UpdateRoutedEndpoint,
    V2Client,
    Weight,
)
from together_operator.together.results import Absent, Ambiguous, Ok, Refused, Unavailable

HARDWARE = "2xnvidia-h100-80gb"
UP = 130
T = TypeVar("T")


def got(answer: Ok[T] | Any) -> T:
    """Return what an answer carries, which must be one."""
    assert isinstance(answer, Ok), answer
    value: T = answer.value
    return value


def refused(answer: object) -> Refused:
    """Return a refusal, which it must be."""
    assert isinstance(answer, Refused), answer
    return answer


async def home(v2: V2Client) -> str:
    """Return the id of the key's own project."""
    project = got(await v2.catalogue.whoami()).project
    assert project is not None
    return project.id


async def wanted(v2: V2Client, **changes: Any) -> CreateDeployment:
    """Return the order of a deployment of the model, found as a driver would."""
    found = got(await v2.catalogue.search_models(MODEL))
    (entry,) = [one for one in found if one.name == MODEL]
    for profile in entry.deployment_profiles:
        _, owner, _, config_id = profile.config.split("/")
        config = got(await v2.catalogue.get_config(owner, config_id))
        if config.hardware == HARDWARE:
            order = {
                "name": "first",
                "model": profile.model,
                "config": profile.config,
                "autoscaling": ReplicaBoundsV2(min_replicas=1, max_replicas=2),
            }
            return CreateDeployment(**{**order, **changes})
    raise AssertionError("no profile")


async def made(v2: V2Client, **changes: Any) -> tuple[str, RoutedEndpoint, Deployment]:
    """Create an endpoint and a deployment that is not routed yet."""
    project = await home(v2)
    endpoint = got(await v2.create_endpoint(project, CreateRoutedEndpoint(name="mixtral")))
    order = await wanted(v2, **changes)
    return project, endpoint, got(await v2.create_deployment(project, endpoint.id, order))


def routing(*deployments: Deployment, etag: str | None = None) -> UpdateRoutedEndpoint:
    weights = tuple(Weight(deployment_id=one.id, weight=1) for one in deployments)
    return UpdateRoutedEndpoint(traffic_split=weights, etag=etag)


STOP = UpdateDeployment(autoscaling=ReplicaBoundsV2(min_replicas=0, max_replicas=0))


async def test_from_nothing_to_gone(v2: V2Client, admin: AdminClient) -> None:
    project, endpoint, deployment = await made(v2, inactive_timeout=60)
    assert endpoint.name == "a/mixtral"
    assert (deployment.hardware, deployment.inactive_timeout) == (HARDWARE, 60)
    assert deployment.status.state == "DEPLOYMENT_STATE_PROVISIONING"
    (found,) = got(await v2.list_endpoints(project, name="mixtral"))
    assert found.id == endpoint.id
    assert found.deployments[0].id == deployment.id

    admin.advance(UP)
    seen = got(await v2.get_deployment(project, endpoint.id, deployment.id))
    assert (seen.status.state, seen.status.ready_replicas) == ("DEPLOYMENT_STATE_READY", 1)
    assert seen.status.details is not None
    assert seen.status.details.region[0].region == "us-central-4"
    not_routed = refused(await v2.probe(endpoint.name))
    assert (not_routed.kind, not_routed.code) == (Kind.NOT_SERVING, NOT_CONFIGURED_CODE)
    assert await v2.probe(deployment.name) == Ok(None, pytest.approx(admin_now(admin), abs=2))
    routed = got(
        await v2.update_endpoint(project, endpoint.id, routing(deployment, etag=endpoint.etag))
    )
    assert [(one.deployment_id, one.weight) for one in routed.traffic_split] == [
        (deployment.id, Decimal(1))
    ]
    assert routed.deployments[0].estimated_effective_traffic_share == 1
    admin.advance(20)
    got(await v2.probe(endpoint.name))

    bounds = UpdateDeployment(
        autoscaling=ReplicaBoundsV2(min_replicas=2, max_replicas=3), etag=seen.etag
    )
    scaled = got(await v2.update_deployment(project, endpoint.id, deployment.id, bounds))
    assert (scaled.autoscaling.min_replicas, scaled.inactive_timeout) == (2, 60)

    in_use = refused(await v2.delete_endpoint(project, endpoint.id))
    assert "delete them first" in in_use.message
    got(await v2.update_endpoint(project, endpoint.id, routing()))
    got(await v2.update_deployment(project, endpoint.id, deployment.id, STOP))
    draining = refused(await v2.delete_deployment(project, endpoint.id, deployment.id))
    assert "STOPPING" in draining.message
    admin.advance(15)
    got(await v2.delete_deployment(project, endpoint.id, deployment.id))
    got(await v2.delete_endpoint(project, endpoint.id))
    for gone in (
        await v2.get_endpoint(project, endpoint.id),
        await v2.delete_endpoint(project, endpoint.id),
        await v2.get_deployment(project, endpoint.id, deployment.id),
        await v2.list_deployments(project, endpoint.id),
        await v2.update_deployment(project, endpoint.id, deployment.id, STOP),
    ):
        assert isinstance(gone, Absent), gone
    assert admin.ledger()["totals"]["live"] == 0


def admin_now(admin: AdminClient) -> float:
    return float(admin.health()["now"])


async def test_what_is_sent(v2: V2Client, admin: AdminClient) -> None:
    placement = Placement(
        inline=InlinePlacement(regions=("us-east-1",), constraint="ENFORCEMENT_REQUIRED")
    )
    project, endpoint, deployment = await made(v2, placement=placement, inactive_timeout=0)
    path = f"/v2/projects/{project}/endpoints"
    assert [one["body"] for one in admin.requests("POST", path)] == [{"name": "mixtral"}]
    [posted] = admin.requests("POST", f"{path}/{endpoint.id}/deployments")
    assert posted["body"] == {
        "name": "first",
        "model": deployment.model,
        "config": deployment.config,
        "autoscaling": {"minReplicas": 1, "maxReplicas": 2},
        "inactiveTimeout": 0,
        "placement": {"inline": {"regions": ["us-east-1"], "constraint": "ENFORCEMENT_REQUIRED"}},
    }
    got(await v2.update_endpoint(project, endpoint.id, routing(etag=endpoint.etag)))
    [patched] = admin.requests("PATCH", f"{path}/{endpoint.id}")
    assert patched["query"] == {"updateMask": "trafficSplit"}
    assert patched["body"] == {"trafficSplit": [], "etag": endpoint.etag}
    one = f"{path}/{endpoint.id}/deployments/{deployment.id}"
    got(await v2.update_deployment(project, endpoint.id, deployment.id, STOP))
    [patched] = admin.requests("PATCH", one)
    assert patched["query"] == {"updateMask": "autoscaling"}
    await v2.delete_deployment(project, endpoint.id, deployment.id, etag="old")
    [deleted] = admin.requests("DELETE", one)
    assert deleted["query"] == {"etag": "old"}


@pytest.mark.parametrize("shape", ["nested", "rpc", "flat"])
async def test_refusals_are_told_apart(v2: V2Client, admin: AdminClient, shape: str) -> None:
    admin.assume(v2_error_shape=shape)
    project, endpoint, deployment = await made(v2)
    taken = refused(await v2.create_endpoint(project, CreateRoutedEndpoint(name="mixtral")))
    assert (taken.kind, taken.status) == (Kind.TAKEN, 409)
    twin = refused(await v2.create_deployment(project, endpoint.id, await wanted(v2)))
    assert twin.kind is Kind.TAKEN
    for status in (409, 412):
        admin.assume(stale_etag_status=status)
        stale = refused(await v2.update_endpoint(project, endpoint.id, routing(etag="old")))
        assert (stale.kind, stale.status) == (Kind.STALE, status)
        stale = refused(await v2.delete_deployment(project, endpoint.id, deployment.id, etag="old"))
        assert stale.kind is Kind.STALE
    admin.force(endpoint.id, activeRolloutId="rol_1")
    locked = refused(await v2.update_endpoint(project, endpoint.id, routing()))
    assert (locked.kind, locked.status) == (Kind.BUSY, 409)
    assert got(await v2.get_endpoint(project, endpoint.id)).active_rollout_id == "rol_1"
    admin.assume(gpu_quota=2)
    quota = refused(
        await v2.create_deployment(project, endpoint.id, await wanted(v2, name="second"))
    )
    assert (quota.kind, quota.status) == (Kind.NO_CAPACITY, 429)
    admin.assume(gpu_quota=None, credit_cents=0)
    broke = refused(
        await v2.create_deployment(project, endpoint.id, await wanted(v2, name="second"))
    )
    assert broke.kind is Kind.PAYMENT_REQUIRED
    admin.assume(credit_cents=None, deployment_inactive_timeout="refuse")
    unknown = refused(
        await v2.check_deployment(
            project, endpoint.id, await wanted(v2, name="second", inactive_timeout=30)
        )
    )
    assert (unknown.kind, "inactiveTimeout" in unknown.message) == (Kind.INVALID, True)
    gone = refused(await v2.create_deployment(project, "ep_none", await wanted(v2)))
    assert gone.kind is Kind.NOT_FOUND
    assert len(admin.endpoints()) == 1


async def test_a_dry_run_creates_nothing(v2: V2Client, admin: AdminClient) -> None:
    project = await home(v2)
    endpoint = got(await v2.create_endpoint(project, CreateRoutedEndpoint(name="mixtral")))
    planned = got(await v2.check_deployment(project, endpoint.id, await wanted(v2)))
    assert (planned.hardware, planned.id) == (HARDWARE, "")
    assert got(await v2.list_deployments(project, endpoint.id)) == ()
    assert admin.endpoints() == []


async def test_lists_are_read_to_their_end_or_not_at_all(v2: V2Client, admin: AdminClient) -> None:
    project = await home(v2)
    admin.assume(page_size=2)
    for number in range(5):
        request = CreateRoutedEndpoint(name=f"e{number}")
        got(await v2.create_endpoint(project, request))
    assert len(got(await v2.list_endpoints(project))) == 5
    path = f"/v2/projects/{project}/endpoints"
    assert len(admin.requests("GET", path)) == 3
    assert len(got(await v2.list_endpoints(project, page_size=500))) == 5
    assert len(admin.requests("GET", path)) == 4
    assert len(got(await v2.catalogue.search_models(""))) > 2
    fault = {"method": "GET", "path_regex": "/endpoints$", "fault": "status", "status": 500}
    admin.arm({**fault, "after": 1, "times": -1})
    answer = await v2.list_endpoints(project)
    assert isinstance(answer, Unavailable)


async def test_reads_are_repeated_and_nothing_else_is(v2: V2Client, admin: AdminClient) -> None:
    project, endpoint, deployment = await made(v2)
    one = f"/v2/projects/{project}/endpoints/{endpoint.id}/deployments/{deployment.id}"
    for fault in ({"fault": "reset_after"}, {"fault": "status", "status": 503}):
        admin.arm({"path_regex": "^/v2/", **fault})
        before = len(admin.requests("GET", one))
        assert got(await v2.get_deployment(project, endpoint.id, deployment.id)).id == deployment.id
        assert len(admin.requests("GET", one)) == before + 2

        admin.arm({"path_regex": "^/v2/", **fault})
        before = len(admin.requests("PATCH", one))
        unclear = await v2.update_deployment(project, endpoint.id, deployment.id, STOP)
        assert isinstance(unclear, Unavailable)
        assert len(admin.requests("PATCH", one)) == before + 1

        admin.arm({"path_regex": "^/v2/", **fault})
        posted = f"/v2/projects/{project}/endpoints"
        before = len(admin.requests("POST", posted))
        doubtful = await v2.create_endpoint(project, CreateRoutedEndpoint(name="second"))
        assert isinstance(doubtful, Ambiguous)
        assert len(admin.requests("POST", posted)) == before + 1
    assert len(got(await v2.list_endpoints(project, name="second"))) == 1


async def test_models_of_ones_own(v2: V2Client, admin: AdminClient) -> None:
    project = await home(v2)
    tuned = admin.add_model("tuned", MODEL, project="a")
    (model,) = got(await v2.catalogue.list_models(project))
    assert (model.id, model.name) == (tuned["id"], "a/tuned")
    assert got(await v2.catalogue.get_model(project, model.id)) == model
    (revision,) = got(await v2.catalogue.list_revisions(project, model.id))
    assert revision.revision_id == tuned["revisionId"]
    configs = got(await v2.catalogue.list_configs(project, model.base_model))
    config = next(one for one in configs if one.hardware == HARDWARE)
    endpoint = got(await v2.create_endpoint(project, CreateRoutedEndpoint(name="tuned")))
    order = await wanted(
        v2, model=tuned["model"], config=f"projects/{config.project_id}/configs/{config.id}"
    )
    deployment = got(await v2.create_deployment(project, endpoint.id, order))
    assert deployment.model == f"{tuned['model']}/revisions/{revision.revision_id}"


async def test_prices_places_and_events(v2: V2Client, admin: AdminClient) -> None:
    types = {one.name: one for one in got(await v2.catalogue.list_instance_types())}
    assert types[HARDWARE].price_cents_per_hour == Decimal(1098)
    assert {one.name for one in types[HARDWARE].regions} >= {"us-central-4", "us-west-2"}
    project, endpoint, deployment = await made(v2)
    assert got(await v2.catalogue.list_placement_profiles(project))[0].preferred_regions
    admin.advance(UP)
    events = got(await v2.list_events(project, endpoint.id, limit=3))
    assert len(events) == 3
    assert (events[0].reason, events[0].deployment_id) == ("AllReplicasReady", deployment.id)
    (listed,) = got(await v2.list_deployments(project, endpoint.id))
    assert listed == got(await v2.get_deployment(project, endpoint.id, deployment.id))


async def test_whose_key_it_is(make_wire: MakeWire, admin: AdminClient) -> None:
    wire = make_wire()
    ours, theirs = V2Client(wire, Credential(KEY_A)), V2Client(wire, Credential(KEY_B))
    project, endpoint, _ = await made(ours)
    other = await home(theirs)
    assert other != project
    assert isinstance(await theirs.get_endpoint(other, endpoint.id), Absent)
    assert isinstance(await theirs.get_endpoint(project, endpoint.id), Absent)
    assert [one.id for one in got(await ours.catalogue.list_projects())] == [project]
    admin.assume(whoami_key_type="org_api_key")
    whoami = got(await ours.catalogue.whoami())
    assert (whoami.type, whoami.project) == ("org_api_key", None)
    nobody = refused(await V2Client(wire, Credential(DENIED)).catalogue.whoami())
    assert nobody.kind is Kind.UNAUTHORIZED


async def test_what_cannot_be_an_id_leads_nowhere(v2: V2Client, admin: AdminClient) -> None:
    project = await home(v2)
    before = len(admin.requests())
    for odd in ("", "..", "a/b", 'x"', "é"):
        assert isinstance(await v2.get_endpoint(project, odd), Absent)
        assert isinstance(await v2.get_deployment(project, "ep_1", odd), Absent)
        assert isinstance(await v2.delete_endpoint(odd, "ep_1"), Absent)
        assert isinstance(await v2.list_endpoints(project, name=odd), Absent)
    assert len(admin.requests()) == before


async def test_words_and_fields_that_nobody_knows_yet(v2: V2Client, admin: AdminClient) -> None:
    project, endpoint, deployment = await made(v2)
    admin.force(deployment.id, state="MIGRATING", colour="green", desiredReplicas=None)
    seen = got(await v2.get_deployment(project, endpoint.id, deployment.id))
    assert (seen.status.state, seen.desired_replicas) == ("DEPLOYMENT_STATE_MIGRATING", None)
    (summary,) = got(await v2.get_endpoint(project, endpoint.id)).deployments
    assert summary.state == "DEPLOYMENT_STATE_MIGRATING"
