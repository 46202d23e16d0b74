"""The v2 driver changing, routing and removing: every outcome as a plain value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.together.acts_v2 import (
    DOWN,
    ME,
    ORDER,
    UP,
    deployed,
    made,
    order,
    refused,
    running,
    shown,
)
from tests.together.fake import KEY, ok, together
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault
from together_operator.drivers import Deployer, V2Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Bounds,
    Change,
    Done,
    NotSent,
    Phase,
    Refused,
    Unavailable,
    Weight,
)
from together_operator.together import Credential, V2Client

BOTH_SHAPES = pytest.mark.parametrize("shape", ["nested", "rpc", "flat"])


def patched(sim: Simulator) -> list[dict[str, Any]]:
    """Return the bodies of the PATCHes of deployments so far."""
    return [
        one["body"]
        for one in sim.console.ledger()["requests"]
        if one["method"] == "PATCH" and "/deployments/" in one["path"]
    ]


class TestBounds:
    """Start, stop and scale are bounds of one deployment."""

    async def test_a_life(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        one = await deployed(v2, endpoint_id)
        seen = await v2.start(endpoint_id, ORDER, one.id)
        assert isinstance(seen, Done)
        assert seen.deployment is not None
        assert (seen.deployment.phase, seen.deployment.bounds) == (Phase.STARTING, Bounds(1, 2))
        sim.console.advance(UP)
        await v2.list()
        seen = await v2.update(endpoint_id, Change(bounds=Bounds(2, 4)), one.id)
        assert isinstance(seen, Done)
        assert seen.deployment is not None
        # One replica serves while the other comes up.
        assert seen.deployment.state == "DEPLOYMENT_STATE_SCALING"
        assert (seen.deployment.phase, seen.deployment.ready_replicas) == (Phase.STARTED, 1)
        seen = await v2.stop(endpoint_id, one.id)
        assert isinstance(seen, Done)
        assert seen.deployment is not None
        assert (seen.deployment.phase, seen.deployment.bounds) == (Phase.STOPPING, Bounds(0, 0))
        sim.console.advance(DOWN)
        assert (await shown(v2, endpoint_id)).phase is Phase.STOPPED

    async def test_bounds_and_timeout_are_one_request(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        before = len(patched(sim))
        change = Change(display_name="not in v2", bounds=Bounds(1, 3), inactive_timeout_minutes=45)
        seen = await v2.update(endpoint_id, change, deployment_id)
        assert isinstance(seen, Done)
        assert seen.deployment is not None
        assert seen.deployment.inactive_timeout_minutes == 45
        (body,) = patched(sim)[before:]
        assert body == {
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
            "inactiveTimeout": 45,
            **({"etag": body["etag"]} if "etag" in body else {}),
        }

    async def test_nothing_to_change_is_not_sent(self, v2: Deployer, sim: Simulator) -> None:
        for change in (Change(), Change(display_name="x")):
            assert await v2.update("ep_1", change, "dep_1") == Done()
        assert patched(sim) == []

    @pytest.mark.parametrize("minutes", [1, 29, 1441])
    async def test_a_timeout_out_of_range_is_not_sent(
        self, v2: Deployer, sim: Simulator, minutes: int
    ) -> None:
        seen = await v2.update("ep_1", Change(inactive_timeout_minutes=minutes), "dep_1")
        assert refused(seen) == (Reason.INVALID_REQUEST, False)
        assert isinstance(seen, Refused)
        assert "spec.inactiveTimeoutMinutes" in seen.message
        assert patched(sim) == []

    @BOTH_SHAPES
    async def test_an_account_without_idle_timeout_has_never(
        self, v2: Deployer, sim: Simulator, shape: str
    ) -> None:
        sim.console.assume({"deployment_inactive_timeout": "refuse", "v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        before = len(patched(sim))
        seen = await v2.update(endpoint_id, Change(inactive_timeout_minutes=60), deployment_id)
        assert refused(seen) == (Reason.UNSUPPORTED, False)
        change = Change(bounds=Bounds(1, 5), inactive_timeout_minutes=0)
        for _ in range(2):
            seen = await v2.update(endpoint_id, change, deployment_id)
            assert isinstance(seen, Done)
        assert (await shown(v2, endpoint_id)).bounds == Bounds(1, 5)
        assert len(patched(sim)) == before + 3

    async def test_that_is_found_out_with_never_as_well(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.assume({"deployment_inactive_timeout": "refuse"})
        endpoint_id, deployment_id = await running(v2, sim)
        change = Change(bounds=Bounds(1, 5), inactive_timeout_minutes=0)
        assert isinstance(await v2.update(endpoint_id, change, deployment_id), Done)
        assert (await shown(v2, endpoint_id)).bounds == Bounds(1, 5)

    async def test_a_deployment_has_to_be_named(self, v2: Deployer) -> None:
        for call in (
            v2.update("ep_1", Change(bounds=Bounds(1, 1))),
            v2.start("ep_1", ORDER),
            v2.stop("ep_1"),
        ):
            with pytest.raises(ValueError, match="deployment"):
                await call

    @BOTH_SHAPES
    @pytest.mark.parametrize("status", [409, 412])
    async def test_what_changed_after_the_look_is_not_overwritten(
        self, v2: Deployer, sim: Simulator, status: int, shape: str
    ) -> None:
        sim.console.assume({"stale_etag_status": status, "v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        await v2.get(endpoint_id)
        sim.console.force(deployment_id, {"autoscaling": {"minReplicas": 0, "maxReplicas": 0}})
        change = Change(bounds=Bounds(2, 2))
        seen = await v2.update(endpoint_id, change, deployment_id)
        assert refused(seen) == (Reason.UPDATING, True)
        assert (await shown(v2, endpoint_id)).bounds == Bounds(0, 0)
        sim.console.advance(DOWN)
        await v2.get(endpoint_id)
        assert isinstance(await v2.update(endpoint_id, change, deployment_id), Done)

    async def test_an_old_etag_refuses_once_at_most(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        await v2.get(endpoint_id)
        sim.console.force(deployment_id, {"note": "changed"})
        change = Change(bounds=Bounds(1, 3))
        assert isinstance(await v2.update(endpoint_id, change, deployment_id), Refused)
        assert isinstance(await v2.update(endpoint_id, change, deployment_id), Done)
        # A LIST is a newer picture than any etag that was read before.
        sim.console.force(deployment_id, {"note": "again"})
        await v2.list()
        change = Change(bounds=Bounds(1, 4))
        assert isinstance(await v2.update(endpoint_id, change, deployment_id), Done)

    async def test_a_stop_is_for_whatever_is_there(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        await v2.get(endpoint_id)
        sim.console.force(deployment_id, {"note": "changed"})
        assert isinstance(await v2.stop(endpoint_id, deployment_id), Done)

    @BOTH_SHAPES
    async def test_what_drains_starts_later(self, v2: Deployer, sim: Simulator, shape: str) -> None:
        sim.console.assume({"v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        await v2.stop(endpoint_id, deployment_id)
        seen = await v2.start(endpoint_id, ORDER, deployment_id)
        assert refused(seen) == (Reason.STARTING, True)
        sim.console.advance(DOWN)
        assert isinstance(await v2.start(endpoint_id, ORDER, deployment_id), Done)

    @BOTH_SHAPES
    async def test_what_failed_does_not_start_again(
        self, v2: Deployer, sim: Simulator, shape: str
    ) -> None:
        sim.console.assume({"v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        sim.console.force(deployment_id, {"state": "FAILED"})
        await v2.list()
        seen = await v2.start(endpoint_id, ORDER, deployment_id)
        assert refused(seen) == (Reason.ENDPOINT_FAILED, False)

    @BOTH_SHAPES
    async def test_a_rollout_holds_it(self, v2: Deployer, sim: Simulator, shape: str) -> None:
        sim.console.assume({"v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        sim.console.force(endpoint_id, {"activeRolloutId": "rol_1"})
        for seen in (
            await v2.stop(endpoint_id, deployment_id),
            await v2.route(endpoint_id, (), None),
        ):
            assert refused(seen) == (Reason.UPDATING, True)
            assert isinstance(seen, Refused)
            assert "end the rollout" in seen.message

    @BOTH_SHAPES
    async def test_gpus_that_are_not_to_be_had(
        self, v2: Deployer, sim: Simulator, shape: str
    ) -> None:
        sim.console.assume({"gpu_quota": 2, "v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        seen = await v2.update(endpoint_id, Change(bounds=Bounds(3, 3)), deployment_id)
        assert refused(seen) == (Reason.WAITING_FOR_CAPACITY, True)
        sim.console.assume({"gpu_quota": None, "no_capacity": "refuse"})
        sim.console.capacity({"2xnvidia-h100-80gb": 1})
        other = await made(v2, order(endpoint_name="other"))
        one = await deployed(v2, other)
        seen = await v2.start(other, ORDER, one.id)
        assert refused(seen) == (Reason.WAITING_FOR_CAPACITY, True)

    async def test_a_shortage_that_is_waited_out(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.capacity({"2xnvidia-h100-80gb": 0})
        endpoint_id = await made(v2)
        one = await deployed(v2, endpoint_id)
        assert isinstance(await v2.start(endpoint_id, ORDER, one.id), Done)
        sim.console.advance(UP)
        seen = await shown(v2, endpoint_id)
        assert (seen.state, seen.phase) == ("DEPLOYMENT_STATE_DEGRADED", Phase.PENDING)
        degraded = seen.deployment(one.id)
        assert degraded is not None
        assert "capacity" in degraded.message

    @pytest.mark.parametrize(
        ("status", "kind", "reason"),
        [
            (429, Unavailable, Reason.RATE_LIMITED),
            (503, Unavailable, Reason.UNREACHABLE),
            (402, Refused, Reason.PAYMENT_REQUIRED),
            (401, Refused, Reason.UNAUTHORIZED),
        ],
    )
    async def test_other_outcomes(
        self,
        v2: Deployer,
        sim: Simulator,
        status: int,
        kind: type[Refused | Unavailable],
        reason: Reason,
    ) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        sim.console.arm([Fault(fault="status", method="PATCH", status=status, times=-1)])
        for seen in (
            await v2.stop(endpoint_id, deployment_id),
            await v2.route(endpoint_id, (), None),
        ):
            assert isinstance(seen, kind)
            assert seen.reason is reason

    async def test_what_is_gone_is_absent(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        sim.console.delete(endpoint_id)
        for seen in (
            await v2.stop(endpoint_id, deployment_id),
            await v2.route(endpoint_id, (), None),
            await v2.undeploy(endpoint_id, deployment_id),
            await v2.delete(endpoint_id),
        ):
            assert seen == Absent()

    async def test_a_process_that_may_not_change(self) -> None:
        fake = together(ok(ME))
        wire = fake.wire("http://together.test/v1", may_change=lambda: False)
        driver = V2Driver(V2Client(wire, Credential(KEY)))
        for seen in (
            await driver.stop("ep_1", "dep_1"),
            await driver.route("ep_1", (), None),
            await driver.undeploy("ep_1", "dep_1"),
            await driver.delete("ep_1"),
        ):
            assert isinstance(seen, NotSent)


class TestRoute:
    """The whole of the traffic, on the picture that it was decided on."""

    async def test_weights_come_back_as_they_were_sent(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        first = await deployed(v2, endpoint_id)
        second = await deployed(v2, endpoint_id, "second")
        wanted = (Weight(first.id, 0.1), Weight(second.id, 3.0))
        seen = await v2.route(endpoint_id, wanted, (await shown(v2, endpoint_id)).version)
        assert isinstance(seen, Done)
        assert seen.endpoint is not None
        assert seen.endpoint.traffic == wanted
        assert (await shown(v2, endpoint_id)).traffic == wanted
        assert (await shown(v2, endpoint_id)).version == seen.endpoint.version

    @BOTH_SHAPES
    @pytest.mark.parametrize("status", [409, 412])
    async def test_an_old_picture_is_refused(
        self, v2: Deployer, sim: Simulator, status: int, shape: str
    ) -> None:
        sim.console.assume({"stale_etag_status": status, "v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        before = await shown(v2, endpoint_id)
        theirs = await deployed(v2, endpoint_id, "theirs")
        both = (Weight(deployment_id, 1.0), Weight(theirs.id, 1.0))
        assert isinstance(await v2.route(endpoint_id, both, None), Done)
        seen = await v2.route(endpoint_id, (), before.version)
        assert refused(seen) == (Reason.UPDATING, True)
        assert (await shown(v2, endpoint_id)).traffic == both

    async def test_nobody_answers_any_more(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, _ = await running(v2, sim)
        version = (await shown(v2, endpoint_id)).version
        assert isinstance(await v2.route(endpoint_id, (), version), Done)
        assert (await shown(v2, endpoint_id)).traffic == ()

    async def test_where_an_empty_traffic_counts_as_none_sent(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        sim.console.assume({"empty_split": "refuse", "zero_weight": "drop"})
        endpoint_id, deployment_id = await running(v2, sim)
        version = (await shown(v2, endpoint_id)).version
        assert isinstance(await v2.route(endpoint_id, (), version), Done)
        assert (await shown(v2, endpoint_id)).weight(deployment_id) == 0
        assert isinstance(await v2.stop(endpoint_id, deployment_id), Done)
        sim.console.advance(DOWN)
        assert await v2.undeploy(endpoint_id, deployment_id) == Done()


class TestRemove:
    """Taken apart in order; what is too early is tried again."""

    @BOTH_SHAPES
    @pytest.mark.parametrize("status", [400, 409])
    async def test_the_order(self, v2: Deployer, sim: Simulator, status: int, shape: str) -> None:
        sim.console.assume({"delete_refusal_status": status, "v2_error_shape": shape})
        endpoint_id, deployment_id = await running(v2, sim)
        assert refused(await v2.delete(endpoint_id)) == (Reason.DELETING, True)
        seen = await v2.undeploy(endpoint_id, deployment_id)
        assert refused(seen) == (Reason.UPDATING, True)
        await v2.route(endpoint_id, (), None)
        seen = await v2.undeploy(endpoint_id, deployment_id)
        assert refused(seen) == (Reason.DELETING, True)
        await v2.stop(endpoint_id, deployment_id)
        seen = await v2.undeploy(endpoint_id, deployment_id)
        assert refused(seen) == (Reason.DELETING, True)
        sim.console.advance(DOWN)
        assert await v2.undeploy(endpoint_id, deployment_id) == Done()
        # Lists go on showing it for a while; that it is gone is told by asking for it.
        assert await v2.undeploy(endpoint_id, deployment_id) == Absent()
        assert await v2.delete(endpoint_id) == Done()
        assert await v2.get(endpoint_id) == Absent()

    async def test_an_etag_of_before_is_not_in_the_way(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.assume({"etag_follows_status": True})
        endpoint_id = await made(v2)
        one = await deployed(v2, endpoint_id)
        sim.console.force(one.id, {"note": "changed"})
        assert await v2.undeploy(endpoint_id, one.id) == Done()
        assert await v2.delete(endpoint_id) == Done()
