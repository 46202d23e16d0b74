"""The v2 driver asking for an answer, and what an hour of it costs."""

from __future__ import annotations

import httpx
import pytest

from tests.together.acts_v2 import (
    MODEL,
    NAME,
    ORDER,
    ROUTED,
    UP,
    deployed,
    made,
    order,
    refused,
    running,
    shown,
)
from tests.together.fake import nested, together
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault
from together_operator.drivers import Deployer, V2Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Done, Unavailable, Weight


class TestProbe:
    """Serving is what answers, and nothing else is."""

    async def test_only_a_routed_deployment_answers(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        one = await deployed(v2, endpoint_id)
        name = "default/mixtral"
        await v2.start(endpoint_id, ORDER, one.id)
        sim.console.advance(UP)
        assert refused(await v2.probe(name)) == (Reason.PROBING, True)
        # By its own name it answers whether it is routed or not.
        assert await v2.probe(f"{name}/{NAME}") == Done()
        await v2.route(endpoint_id, (Weight(one.id, 1.0),), None)
        sim.console.advance(ROUTED)
        assert await v2.probe(name) == Done()
        await v2.stop(endpoint_id, one.id)
        assert refused(await v2.probe(name)) == (Reason.PROBING, True)
        assert refused(await v2.probe("default/nobody")) == (Reason.PROBING, True)

    @pytest.mark.parametrize(
        "answer",
        [
            nested(400, "Nothing routed", "endpoint_not_configured"),
            nested(400, "Nothing ready", "endpoint_not_ready"),
            nested(503, "No route", "routing_error"),
            nested(400, "No route", "routing_error"),
            nested(400, "Never heard of it", "model_not_found"),
            nested(404, "Never heard of it"),
            nested(500, "Boom"),
        ],
    )
    async def test_not_yet(self, answer: httpx.Response) -> None:
        seen = await V2Driver(together(answer).client_v2()).probe("team/mixtral")
        assert refused(seen) == (Reason.PROBING, True)

    async def test_not_yet_in_the_grpc_shape(self) -> None:
        detail = {"detail": "nothing is routed", "reason": "endpoint_not_configured"}
        body = {"code": 3, "message": "bad request", "details": [detail]}
        answer = httpx.Response(400, json=body)
        seen = await V2Driver(together(answer).client_v2()).probe("team/mixtral")
        assert refused(seen) == (Reason.PROBING, True)

    async def test_a_model_that_does_not_chat_answers(self, v2: Deployer, sim: Simulator) -> None:
        wanted = order(
            model="intfloat/multilingual-e5-large-instruct", hardware="1xnvidia-h100-80gb"
        )
        endpoint_id = await made(v2, wanted)
        one = await deployed(v2, endpoint_id, wanted=wanted)
        await v2.start(endpoint_id, wanted, one.id)
        await v2.route(endpoint_id, (Weight(one.id, 1.0),), None)
        sim.console.advance(UP + ROUTED)
        assert await v2.probe("default/mixtral") == Done()

    @pytest.mark.parametrize(
        ("status", "reason"),
        [(401, Reason.UNAUTHORIZED), (402, Reason.PAYMENT_REQUIRED), (429, Reason.RATE_LIMITED)],
    )
    async def test_what_is_wrong_with_the_key(
        self, v2: Deployer, sim: Simulator, status: int, reason: Reason
    ) -> None:
        sim.console.arm([Fault(fault="status", path_regex="completions", status=status, times=-1)])
        seen = await v2.probe("default/mixtral")
        assert isinstance(seen, Unavailable)
        assert seen.reason is reason


async def test_price_and_ledger_agree(v2: Deployer, sim: Simulator) -> None:
    endpoint_id, _ = await running(v2, sim)
    offers = await v2.offers(MODEL)
    assert isinstance(offers, tuple)
    prices = {one.hardware: one.cents_per_hour for one in offers}
    (before,) = sim.console.ledger()["endpoints"]
    sim.console.advance(3600)
    (after,) = sim.console.ledger()["endpoints"]
    hardware = (await shown(v2, endpoint_id)).hardware
    assert after["billed_cents"] - before["billed_cents"] == pytest.approx(float(prices[hardware]))
