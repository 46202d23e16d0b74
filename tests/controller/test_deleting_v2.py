"""The deletion of a resource on API v2 where Together does not go along."""

from __future__ import annotations

from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Phase, Refused
from together_operator.resource.spec import Api

NOTHING = Refused(Reason.INVALID_REQUEST, "no fields to update: the body has no trafficSplit.")


def test_what_cannot_be_taken_out_of_the_traffic_is_stopped_all_the_same() -> None:
    """An empty traffic split is reported to be refused: then a person is asked, at no cost."""

    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving()
        route = stage.together_v2.route

        async def refused(*_: object) -> Refused:
            return NOTHING

        stage.together_v2.route = refused  # type: ignore[method-assign]
        async with stage.running(timers=True):
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until("DeletionBlocked")
            assert "no trafficSplit. To let the resource go" in stage.message
            [left] = stage.together_v2.endpoints["ep_1"].deployments or ()
            assert left.phase is Phase.STOPPED
            stage.together_v2.route = route  # type: ignore[method-assign]
            await stage.until_gone(within=3600)
        assert stage.together_v2.endpoints == {}

    virtually(scene())
