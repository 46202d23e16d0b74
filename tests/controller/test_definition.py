"""Whether one resource is deleted or the CRD with all of them, as the API server tells it."""

from __future__ import annotations

import pytest

from tests.controller.stage import ML, Stage
from tests.controller.virtual import EPOCH, virtually
from together_operator.controller.definition import look_up
from together_operator.controller.kube_errors import Forbidden, KubeUnavailable

DENIED = Forbidden('get customresourcedefinitions "x"', 'User "y" cannot get it')


async def deleted_with_crd(stage: Stage, **spec: object) -> None:
    """A resource that serves, and whose CRD is then deleted."""
    await stage.serving(**spec)
    stage.kube.remove_definition(EPOCH + 60)


async def until_gone(stage: Stage) -> None:
    """Work on the first resource until it has gone."""
    async with stage.running():
        stage.operator.enqueue(ML, "delete")
        await stage.until_gone()


def test_along_with_the_crd_nothing_is_deleted_and_what_is_left_is_told() -> None:
    async def scene() -> None:
        stage = Stage()
        await deleted_with_crd(stage)
        await until_gone(stage)
        (endpoint,) = stage.together.endpoints
        assert stage.kube.calls["get_definition"] == 1
        assert stage.kube.calls["served_verbs"] == 0
        (told,) = [m for _, reason, m in stage.told.events if reason == "EndpointRetained"]
        assert endpoint in told
        assert "$5.00 per hour" in told
        assert stage.kube.copies() == {}

    virtually(scene())


def test_a_deletion_of_before_is_carried_out() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.delete(ML, EPOCH + 59)
        stage.kube.remove_definition(EPOCH + 60)
        await until_gone(stage)
        assert stage.together.endpoints == {}
        assert "EndpointRetained" not in stage.told.reasons()

    virtually(scene())


@pytest.mark.parametrize("going", [True, False])
def test_without_the_right_to_read_the_crd_discovery_tells(going: bool) -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.fail["get_definition"] = [DENIED] * 9
        if going:
            stage.kube.remove_definition(EPOCH)
        else:
            stage.kube.delete(ML)
        await until_gone(stage)
        assert bool(stage.together.endpoints) is going
        assert stage.kube.calls["served_verbs"] == (1 if going else 2)

    virtually(scene())


def test_nothing_is_concluded_from_an_api_server_that_does_not_answer() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        down = KubeUnavailable("the API server is starting")
        stage.kube.fail["get_definition"] = [down, DENIED, down]
        stage.kube.fail["served_verbs"] = [down]
        stage.kube.delete(ML)
        async with stage.running():
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
        assert stage.kube.calls["get_definition"] == 4
        assert stage.together.endpoints == {}

    virtually(scene())


def test_an_api_server_that_knows_nothing_yet_says_nothing() -> None:
    async def scene() -> None:
        kube = Stage().kube
        kube.definition = None
        found = await look_up(kube.kube, 1.0)
        assert found.removed_at is not None
        kube.fail["get_definition"] = [DENIED]
        with pytest.raises(KubeUnavailable):
            await look_up(kube.kube, 1.0)

    virtually(scene())


def test_where_no_answer_may_be_had_a_person_is_told_and_nothing_is_deleted() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.fail["get_definition"] = [DENIED] * 99
        stage.kube.fail["served_verbs"] = [Forbidden("get /apis", 'User "y" cannot get it')] * 9
        stage.kube.delete(ML)
        async with stage.running():
            stage.operator.enqueue(ML, "delete")
            await stage.until("Deleting")
            assert "may not get /apis" in stage.message
            assert stage.together.calls["delete"] == 0
            await stage.until_gone()
        assert "KubernetesRefused" in stage.told.reasons()
        assert stage.together.endpoints == {}

    virtually(scene())


def test_a_policy_that_cannot_be_read_does_not_hold_up_the_removal_of_the_crd() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.apply("one", deletionPolicy="Archive")
        stage.kube.remove_definition(EPOCH + 60)
        await until_gone(stage)
        assert len(stage.together.endpoints) == 1

    virtually(scene())
