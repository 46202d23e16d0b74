"""The v2 driver looking: plain values for the core, from a simulated Together."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.together.acts_v2 import (
    MARK,
    ME,
    NAME,
    ORDER,
    UP,
    asked,
    deployed,
    made,
    order,
    running,
    shown,
)
from tests.together.fake import DATE, NOW, listed, nested, ok, together
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault
from together_operator.drivers import Deployer, V2Driver
from together_operator.drivers._v2_values import phase_of
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Bounds,
    Endpoint,
    Listing,
    Phase,
    Refused,
    Unavailable,
    Weight,
)
from together_operator.resource.spec import Api

READY = "DEPLOYMENT_STATE_READY"


def test_it_is_a_deployer(v2: Deployer, sim: Simulator) -> None:
    assert v2.api is Api.V2
    assert v2.deploys is True
    assert v2.inference_url == sim.base_url


@pytest.mark.parametrize(
    ("word", "ready", "phase"),
    [
        ("PROVISIONING", 0, Phase.STARTING),
        ("SCALING", 0, Phase.STARTING),
        ("SCALING", 1, Phase.STARTED),
        ("READY", 1, Phase.STARTED),
        ("DEGRADED", 0, Phase.PENDING),
        ("DEGRADED", 2, Phase.STARTED),
        ("STOPPING", 0, Phase.STOPPING),
        ("STOPPED", 0, Phase.STOPPED),
        ("FAILED", 0, Phase.FAILED),
        ("DREAMING", 1, Phase.UNKNOWN),
        ("UNSPECIFIED", 0, Phase.UNKNOWN),
    ],
)
def test_state_words_with_their_count(word: str, ready: int, phase: Phase) -> None:
    assert phase_of(f"DEPLOYMENT_STATE_{word}", ready) is phase
    assert phase_of(word, ready) is phase


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("", Phase.STOPPED),
        ("DEPLOYMENT_STATE_SCALING", Phase.STARTING),
        ("DEPLOYMENT_STATE_DEGRADED", Phase.STARTING),
        ("DEPLOYMENT_STATE_READY", Phase.STARTED),
    ],
)
def test_state_words_as_a_status_holds_them(v2: Deployer, word: str, phase: Phase) -> None:
    assert v2.phase(word) is phase


class TestProject:
    """Whose key it is, asked once."""

    async def test_it_is_asked_once(self, v2: Deployer, sim: Simulator) -> None:
        for _ in range(3):
            await v2.list()
        assert len(asked(sim, part="/v3/whoami")) == 1
        assert len(asked(sim, part="/endpoints")) == 3

    async def test_a_failure_is_not_kept(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.arm([Fault(fault="status", path_regex="whoami", status=401)])
        seen = await v2.list()
        assert isinstance(seen, Unavailable)
        assert seen.reason is Reason.UNAUTHORIZED
        assert isinstance(await v2.list(), Listing)

    async def test_the_only_project_of_an_organization(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.assume({"whoami_key_type": "org_api_key"})
        assert isinstance(await v2.list(), Listing)
        assert len(asked(sim, part="/v1/projects")) == 1

    async def test_an_account_without_the_young_route(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.arm([Fault(fault="not_found", path_regex="whoami")])
        assert isinstance(await v2.list(), Listing)

    @pytest.mark.parametrize(
        ("projects", "told"), [(["one", "two"], "2 projects (one, two)"), ([], "names no project")]
    )
    async def test_a_key_of_several_projects_or_none(self, projects: list[str], told: str) -> None:
        rows = [{"id": f"proj_{one}", "slug": one} for one in projects]
        fake = together(ok({"type": "org_api_key"}), ok(listed(*rows)))
        fake.script *= 10
        driver = V2Driver(fake.client_v2())
        for seen in (
            await driver.list(),
            await driver.get("ep_1"),
            await driver.create(ORDER),
            await driver.delete("ep_1"),
        ):
            assert isinstance(seen, Unavailable | Refused)
            assert seen.reason is Reason.FORBIDDEN
            assert told in seen.message
            assert "key of the one project" in seen.message
        assert not any("/v2/" in one for one in fake.sent())


class TestList:
    """One LIST, complete or not at all."""

    async def test_it_shows_all_that_there_is(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        seen = await v2.list()
        assert isinstance(seen, Listing)
        assert seen.date == pytest.approx(sim.console.health()["now"], abs=1)
        (line,) = seen.endpoints.values()
        assert (line.id, line.name, line.state, line.phase) == (
            endpoint_id,
            "mixtral",
            READY,
            Phase.STARTED,
        )
        whole = line.whole
        assert whole is not None
        assert whole.created_at == line.created_at == pytest.approx(seen.date - UP - 20, abs=1)
        assert whole.traffic == (Weight(deployment_id, 1.0),)
        assert whole.deployments is not None
        (one,) = whole.deployments
        assert (one.name, one.bounds, one.ready_replicas) == (NAME, Bounds(1, 2), 1)
        # What a summary does not tell is left open, and not made up.
        assert (one.config, one.inactive_timeout_minutes) == ("", None)

    async def test_an_endpoint_without_deployments_is_stopped(self, v2: Deployer) -> None:
        await made(v2)
        seen = await v2.list()
        assert isinstance(seen, Listing)
        (line,) = seen.endpoints.values()
        assert (line.state, line.phase) == ("", Phase.STOPPED)
        assert line.whole is not None
        assert line.whole.deployments == ()
        assert line.whole.bounds == Bounds(0, 0)

    async def test_one_request_for_up_to_five_hundred(self, v2: Deployer, sim: Simulator) -> None:
        for number in range(500):
            sim.console.create({"name": f"e{number}"})
        seen = await v2.list()
        assert isinstance(seen, Listing)
        assert len(seen.endpoints) == 500
        assert len(asked(sim, part="/endpoints")) == 1
        sim.console.create({"name": "one-more"})
        seen = await v2.list()
        assert isinstance(seen, Listing)
        assert len(seen.endpoints) == 501
        assert len(asked(sim, part="/endpoints")) == 3

    async def test_where_a_page_is_shorter_than_that(self) -> None:
        fake = together(ok(ME), nested(400, "limit must be at most 100", param="limit"))
        fake.script += [ok(listed()), ok(listed())]
        driver = V2Driver(fake.client_v2())
        assert await driver.list() == Listing({}, NOW)
        assert await driver.list() == Listing({}, NOW)
        assert [one.partition("?")[2] for one in fake.sent()] == ["", "limit=500", "", ""]

    async def test_an_endpoint_with_many_deployments_is_not_whole(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        endpoint_id = await made(v2)
        for number in range(10):
            seen = await v2.list()
            assert isinstance(seen, Listing)
            assert seen.endpoints[endpoint_id].whole is not None
            await deployed(v2, endpoint_id, f"q{number}-{MARK}")
            sim.console.advance(1)
        seen = await v2.list()
        assert isinstance(seen, Listing)
        assert seen.endpoints[endpoint_id].whole is None
        await deployed(v2, endpoint_id, f"last-{MARK}")
        sim.console.assume({"page_size": 4})
        whole = await shown(v2, endpoint_id)
        assert [one.name for one in whole.deployments or ()] == [
            *(f"q{number}-{MARK}" for number in range(10)),
            f"last-{MARK}",
        ]

    async def test_serverless_ones_are_none_of_ours(self) -> None:
        rows = [
            {"id": f"ep_{kind}", "name": f"team/{kind}", "endpointType": f"ENDPOINT_TYPE_{kind}"}
            for kind in ("DEDICATED", "SERVERLESS", "RESERVED")
        ]
        seen = await V2Driver(together(ok(ME), ok(listed(*rows))).client_v2()).list()
        assert isinstance(seen, Listing)
        assert set(seen.endpoints) == {"ep_DEDICATED", "ep_RESERVED"}

    async def test_without_a_date_the_newest_creation_is_a_safe_lower_bound(self) -> None:
        rows = [
            {"id": "ep_1", "name": "team/a", "createdAt": "2026-11-22T07:00:00.500Z"},
            {"id": "ep_2", "name": "team/b", "createdAt": "not told"},
        ]
        answer = ok(listed(*rows), x="y")
        seen = await V2Driver(together(ok(ME), answer).client_v2()).list()
        assert isinstance(seen, Listing)
        assert seen.date == seen.endpoints["ep_1"].created_at == 1795330800.5
        assert seen.endpoints["ep_2"].created_at > NOW - 86400

    async def test_a_list_with_a_page_missing_is_none(self) -> None:
        fake = together(ok(ME), ok(listed({"id": "e", "name": "t/e"}, next_cursor="c")))
        fake.script.append(httpx.ReadError("reset"))
        assert isinstance(await V2Driver(fake.client_v2()).list(), Unavailable)


class TestGet:
    """An endpoint with all its deployments."""

    async def test_it_is_seen_through_its_marked_deployment(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        seen = await shown(v2, endpoint_id)
        assert seen.name == "default/mixtral"
        assert seen.display_name == f"mixtral {MARK}"
        assert seen.owner.startswith("proj_")
        assert (seen.state, seen.phase, seen.bounds) == (READY, Phase.STARTED, Bounds(1, 2))
        assert (seen.hardware, seen.ready_replicas) == ("2xnvidia-h100-80gb", 1)
        assert seen.locked_by is None
        one = seen.deployment(deployment_id)
        assert one is not None
        assert one.name == NAME
        assert one.config.rpartition("/")[2].startswith("cr_")
        assert "/revisions/rv_" in one.model
        assert one.model == seen.model
        assert (one.message, one.regions) == ("All replicas are ready", ("us-central-4",))
        assert (one.inactive_timeout_minutes, one.quantization) == (0, "BF16")

    async def test_what_others_put_there_does_not_stand_for_it(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        endpoint_id = await made(v2)
        theirs = await deployed(v2, endpoint_id, "experiment")
        seen = await shown(v2, endpoint_id)
        assert (seen.display_name, seen.hardware) == ("mixtral", "2xnvidia-h100-80gb")
        sim.console.advance(1)
        other = await deployed(v2, endpoint_id, "other", order(hardware="4xnvidia-h100-80gb"))
        sim.console.advance(1)
        assert (await shown(v2, endpoint_id)).hardware == "2xnvidia-h100-80gb"
        await v2.route(endpoint_id, (Weight(theirs.id, 0.25), Weight(other.id, 0.75)), None)
        seen = await shown(v2, endpoint_id)
        assert seen.hardware == "4xnvidia-h100-80gb"
        assert seen.weight(other.id) == 0.75
        sim.console.advance(1)
        ours = await deployed(v2, endpoint_id, wanted=order(hardware="1xnvidia-h200-141gb"))
        seen = await shown(v2, endpoint_id)
        assert seen.hardware == "1xnvidia-h200-141gb"
        assert seen.display_name == f"mixtral {MARK}"
        assert [one.id for one in seen.deployments or ()] == [theirs.id, other.id, ours.id]

    async def test_the_oldest_mark_counts(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id = await made(v2)
        await deployed(v2, endpoint_id)
        sim.console.advance(1)
        await deployed(v2, endpoint_id, f"aaaaa-{MARK[:-4]}zzzz")
        assert (await shown(v2, endpoint_id)).display_name == f"mixtral {MARK}"

    async def test_a_weight_that_is_no_number_counts_as_none(
        self, v2: Deployer, sim: Simulator
    ) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        await v2.get(endpoint_id)
        rows = [{"deploymentId": deployment_id, "weight": "much"}]
        body = {"id": endpoint_id, "name": "default/mixtral", "trafficSplit": rows}
        fake = together(ok(ME), ok(body), ok(listed()))
        seen = await V2Driver(fake.client_v2()).get(endpoint_id)
        assert isinstance(seen, Endpoint)
        assert seen.traffic == (Weight(deployment_id, 0.0),)

    async def test_a_rollout_locks_it(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, _ = await running(v2, sim)
        sim.console.force(endpoint_id, {"activeRolloutId": "rol_1"})
        assert (await shown(v2, endpoint_id)).locked_by == "rol_1"

    async def test_absent_is_about_the_endpoint_alone(self, v2: Deployer, sim: Simulator) -> None:
        assert await v2.get("ep_nothere") == Absent()
        assert await v2.get("../models") == Absent()
        endpoint_id = await made(v2)
        sim.console.arm([Fault(fault="not_found", path_regex="/deployments$")])
        seen = await v2.get(endpoint_id)
        assert isinstance(seen, Unavailable)
        assert endpoint_id in seen.message

    async def test_an_unknown_word_is_kept(self, v2: Deployer, sim: Simulator) -> None:
        endpoint_id, deployment_id = await running(v2, sim)
        sim.console.force(deployment_id, {"state": "DREAMING"})
        seen = await shown(v2, endpoint_id)
        assert (seen.state, seen.phase) == ("DEPLOYMENT_STATE_DREAMING", Phase.UNKNOWN)


async def test_two_projects_see_nothing_of_each_other(
    opened: Callable[..., Deployer], sim: Simulator
) -> None:
    sim.console.keys(projects={"key-other": "other"})
    mine, theirs = opened(), opened("key-other")
    endpoint_id = await made(mine)
    assert await theirs.get(endpoint_id) == Absent()
    assert await theirs.delete(endpoint_id) == Absent()
    # Names are unique within a project, not beyond.
    await made(theirs)


async def test_a_clock_that_together_does_not_tell_is_this_machine_s() -> None:
    body = {"id": "ep_1", "name": "team/mixtral"}
    seen = await V2Driver(together(ok(ME), ok(body, Date=DATE), ok(listed())).client_v2()).get(
        "ep_1"
    )
    assert isinstance(seen, Endpoint)
    assert seen.created_at == NOW
