"""The v2 driver making endpoints and deployments: every outcome as a plain value."""

from __future__ import annotations

import pytest

from tests.together.acts_v2 import (
    MODEL,
    NAME,
    ORDER,
    STOPPED,
    UP,
    asked,
    deployed,
    made,
    order,
    refusal,
    shown,
)
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault
from together_operator.drivers import Deployer
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Bounds,
    Done,
    NotSent,
    Phase,
    Refused,
)


class TestCreate:
    """An endpoint that costs nothing, and only where it can run what is asked for."""

    async def test_it_makes_a_name_and_nothing_that_runs(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        seen = await v2.create(ORDER)
        assert isinstance(seen, Done)
        assert seen.endpoint is not None
        assert seen.endpoint.name == "default/mixtral"
        assert seen.endpoint.phase is Phase.STOPPED
        assert seen.endpoint.deployments == ()
        assert len(asked(sim, "POST")) == 1
        assert sim.console.ledger()["endpoints"] == []

    async def test_a_name_that_is_taken(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.create({"name": "mixtral"})
        seen = await refusal(v2)
        assert (seen.reason, seen.retryable) == (Reason.NAME_TAKEN, False)
        assert "already exists" in seen.message
        assert "spec.v2.endpointName" in seen.message

    async def test_a_name_that_cannot_be_one(self, v2: Deployer) -> None:
        seen = await refusal(v2, endpoint_name="Mix_tral")
        assert (seen.reason, seen.retryable) == (Reason.INVALID_REQUEST, False)
        assert "spec.v2.endpointName" in seen.message

    async def test_an_order_without_a_name_is_a_mistake(self, v2: Deployer) -> None:
        with pytest.raises(ValueError, match="needs a name"):
            await v2.create(order(endpoint_name=""))

    async def test_what_is_wrong_is_refused_before_anything_is_made(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        for wrong in ({"model": "a/b"}, {"hardware": "9x_abacus"}, {"inactive_timeout_minutes": 7}):
            assert (await refusal(v2, **wrong)).retryable is False
        assert asked(sim, "POST") == []

    async def test_doubt_and_a_closed_fence(self, v2: Deployer, sim: Simulator) -> None:
        assert isinstance(await v2.create(ORDER, fence=lambda: False), NotSent)
        assert asked(sim, "POST") == []
        sim.console.arm([Fault(fault="reset_after", method="POST")])
        assert isinstance(await v2.create(ORDER), Ambiguous)
        assert len(sim.console.ledger()["v2_endpoints"]) == 1

    @pytest.mark.parametrize("path", ["whoami", "supported-models", "instance-types"])
    async def test_what_cannot_be_looked_up_is_not_sent(
        self, v2: Deployer, sim: Simulator, path: str
    ) -> None:
        sim.console.arm([Fault(fault="status", path_regex=path, status=503, times=-1)])
        assert isinstance(await v2.create(ORDER), NotSent)
        assert asked(sim, "POST") == []

    async def test_what_the_key_may_not_look_up(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.arm([Fault(fault="status", path_regex="supported", status=402)])
        seen = await refusal(v2)
        assert (seen.reason, seen.retryable) == (Reason.PAYMENT_REQUIRED, True)

    async def test_a_key_that_sees_no_project_of_its_own(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        fault = Fault(fault="not_found", method="POST", path_regex="/endpoints$")
        sim.console.arm([fault])
        seen = await refusal(v2)
        assert (seen.reason, seen.retryable) == (Reason.FORBIDDEN, True)


class TestDeploy:
    """A deployment that is stopped when it is made."""

    async def test_it_runs_nothing_and_costs_nothing(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        one = await deployed(v2, endpoint_id)
        assert one.name == NAME
        assert (one.state, one.phase, one.bounds) == (STOPPED, Phase.STOPPED, Bounds(0, 0))
        assert one.quantization == "BF16"
        sim.console.advance(86400)
        (line,) = sim.console.ledger()["endpoints"]
        assert (line["model"], line["hardware"]) == (MODEL, "2xnvidia-h100-80gb")
        assert line["billed_cents"] == 0

    async def test_a_dry_run_goes_first_and_asks_for_the_same(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        endpoint_id = await made(v2)
        await deployed(v2, endpoint_id)
        requests = sim.console.ledger()["requests"]
        checked, posted = (one for one in requests if one["path"].endswith("/deployments"))
        assert checked["query"] == {"validateOnly": "true"}
        assert not posted["query"]
        assert checked["body"] == posted["body"]
        assert set(posted["body"]) == {"name", "model", "config", "autoscaling"}

    async def test_the_catalogue_is_read_once_for_many(self, v2: Deployer, sim: Simulator) -> None:
        for name in ("a", "b", "c"):
            await deployed(v2, await made(v2, order(endpoint_name=name)))
        assert len(asked(sim, part="supported-models")) == 1
        assert len(asked(sim, part="instance-types")) == 1

    async def test_a_region_in_place_of_a_zone(self, v2: Deployer, sim: Simulator) -> None:
        for number, zone in enumerate(("us-east-1a", "us-west-2")):
            wanted = order(availability_zone=zone, endpoint_name=f"e{number}")
            await deployed(v2, await made(v2, wanted), wanted=wanted)
        placed = [
            one["body"]["placement"]
            for one in sim.console.ledger()["requests"]
            if one["path"].endswith("/deployments") and not one["query"]
        ]
        assert placed == [
            {"inline": {"regions": [region], "constraint": "ENFORCEMENT_REQUIRED"}}
            for region in ("us-east-1", "us-west-2")
        ]

    async def test_an_idle_timeout(self, v2: Deployer, sim: Simulator) -> None:
        wanted = order(inactive_timeout_minutes=30)
        endpoint_id = await made(v2, wanted)
        one = await deployed(v2, endpoint_id, wanted=wanted)
        assert one.inactive_timeout_minutes == 30
        await v2.start(endpoint_id, wanted, one.id)
        sim.console.advance(UP)
        assert (await shown(v2, endpoint_id)).phase is Phase.STARTED
        sim.console.advance(31 * 60)
        assert (await shown(v2, endpoint_id)).phase is Phase.STOPPED

    async def test_a_name_that_is_taken(self, v2: Deployer) -> None:
        endpoint_id = await made(v2)
        await deployed(v2, endpoint_id)
        seen = await v2.deploy(endpoint_id, NAME, ORDER)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (Reason.NAME_TAKEN, False)

    async def test_doubt_after_the_dry_run_and_in_it(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        path = "/deployments$"
        sim.console.arm([Fault(fault="reset_after", method="POST", path_regex=path)])
        assert isinstance(await v2.deploy(endpoint_id, NAME, ORDER), NotSent)
        assert isinstance(await v2.deploy(endpoint_id, NAME, ORDER, fence=lambda: False), NotSent)
        assert (await shown(v2, endpoint_id)).deployments == ()
        sim.console.arm([Fault(fault="reset_after", method="POST", path_regex=path, after=1)])
        assert isinstance(await v2.deploy(endpoint_id, NAME, ORDER), Ambiguous)
        assert len((await shown(v2, endpoint_id)).deployments or ()) == 1

    async def test_absent_is_about_the_endpoint(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        assert await v2.deploy("ep_nothere", NAME, ORDER) == Absent()
        assert await v2.deploy("../x", NAME, ORDER) == Absent()
        sim.console.arm([Fault(fault="not_found", method="POST", path_regex="/deployments$")])
        seen = await v2.deploy(endpoint_id, NAME, ORDER)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (Reason.INVALID_MODEL, True)
        # What the catalogue had named is not there any more, so it is read again.
        await deployed(v2, endpoint_id)
        assert len(asked(sim, part="supported-models")) == 2

    async def test_a_shortage_that_the_dry_run_meets(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        sim.console.arm(
            [
                Fault(
                    fault="status",
                    method="POST",
                    path_regex="/deployments$",
                    status=429,
                    body={"error": {"message": "GPU quota exceeded", "type": "rate_limit_error"}},
                )
            ]
        )
        seen = await v2.deploy(endpoint_id, NAME, ORDER)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (Reason.WAITING_FOR_CAPACITY, True)

    async def test_an_account_without_idle_timeout(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.assume({"deployment_inactive_timeout": "refuse"})
        wanted = order(inactive_timeout_minutes=60)
        endpoint_id = await made(v2, wanted)
        seen = await v2.deploy(endpoint_id, NAME, wanted)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (Reason.UNSUPPORTED, False)
        assert "spec.inactiveTimeoutMinutes" in seen.message
        # Known from then on, before anything is made; and nobody else is held up by it.
        before = len(asked(sim))
        again = await refusal(v2, endpoint_name="another", inactive_timeout_minutes=60)
        assert again == seen
        assert len(asked(sim)) == before
        await deployed(v2, endpoint_id)
