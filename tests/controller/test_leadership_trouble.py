"""Who leads where rights, the namespace or the API server itself are missing, or come late."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.candidate import NAMESPACE, TERM, Candidate, two, until
from tests.controller.fake_leases import LeaseServer
from tests.controller.virtual import virtually
from together_operator.controller.kube_errors import NotFound
from together_operator.controller.leadership import Term, Unelected
from together_operator.controller.lease import LeaseRefused


@pytest.mark.parametrize("verb", ["get", "create", "update"])
def test_without_a_right_it_refuses_and_names_the_rule(verb: str) -> None:
    async def scene() -> str:
        server = LeaseServer()
        server.denied = {verb}
        if verb == "update":
            # One that only stands by finds out as well, before it is needed.
            server.put({"metadata": {"namespace": NAMESPACE}, "spec": {}})
            server.edit(holderIdentity="another", leaseDurationSeconds=1000)
        refused = Candidate(server)
        refused.start()
        took = await until(lambda: refused.error is not None, within=60)
        assert took == pytest.approx(TERM.doubt, abs=TERM.renewal + 0.1)
        assert isinstance(refused.error, LeaseRefused)
        return str(refused.error)

    said = virtually(scene())
    assert f"may not {verb} the Lease system/together-operator" in said
    assert "apiGroups [coordination.k8s.io], resources [leases]" in said
    assert f"verbs [{verb}]" in said
    assert ("resourceNames [together-operator]" in said) == (verb != "create")
    assert "--no-leader-elect" in said


@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize("verb", ["get", "create", "update"])
def test_a_right_that_is_only_refused_at_first_is_no_missing_one(verb: str, scale: float) -> None:
    """So answers an API server that has just started, before it knows all bindings."""
    term = Term.scaled(scale)

    async def scene() -> None:
        server = LeaseServer()
        if verb == "update":
            server.put({"metadata": {"namespace": NAMESPACE}, "spec": {}})
        server.denied = {verb}
        candidate = Candidate(server, term)
        candidate.start()
        await asyncio.sleep(0.8 * term.doubt)
        assert candidate.error is None
        server.denied = set()
        assert await until(lambda: candidate.leads) <= term.renewal
        await candidate.stop()

    virtually(scene())


def test_a_standby_survives_the_restarts_of_an_api_server() -> None:
    """Each of them refuses for a moment; together that is longer than a refusal is doubted."""

    async def scene() -> None:
        first, second, _ = await two()
        for _ in range(10):
            second.leases.unreachable = True
            await asyncio.sleep(5)
            second.leases.unreachable = False
            second.leases.meddle = refuse
            await asyncio.sleep(5)
            second.leases.meddle = lambda: None
            await asyncio.sleep(5)
        assert second.error is None
        assert second.leadership.standing_by
        await first.stop()
        await until(lambda: second.leads, within=TERM.renewal)
        await second.stop()

    def refuse() -> None:
        raise LeaseRefused("get", NAMESPACE, "not yet")

    virtually(scene())


def test_a_namespace_that_is_not_there_is_said_and_not_waited_for() -> None:
    async def scene() -> None:
        refused = Candidate(LeaseServer())

        def meddle() -> None:
            if refused.leases.server.writes == []:
                raise NotFound('namespaces "system" not found')

        async def none(namespace: str) -> None:
            return None

        refused.leases.meddle = meddle
        refused.leases.read = none  # type: ignore[method-assign]
        refused.start()
        await until(lambda: refused.error is not None, within=1)
        assert "not found" in str(refused.error)

    virtually(scene())


def test_an_api_server_that_is_away_is_waited_for() -> None:
    async def scene() -> None:
        server = LeaseServer()
        patient = Candidate(server)
        patient.leases.unreachable = True
        patient.start()
        await asyncio.sleep(3600)
        assert patient.error is None
        patient.leases.unreachable = False
        assert await until(lambda: patient.leads) <= 2.1
        await patient.stop()

    virtually(scene())


def test_without_an_election_everything_is_permitted() -> None:
    async def scene() -> None:
        only = Unelected()
        assert only.valid
        assert only.may_change()
        await only.renewed()

    virtually(scene())
