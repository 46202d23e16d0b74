"""Keys: how often a Secret is read, what is told when there is none, and what is kept."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

from tests.controller.fake_kube import FakeKube, Json
from tests.controller.keyring import held, resource, ring, trouble
from tests.controller.virtual import steady, virtually
from together_operator.controller.kube_errors import Forbidden, KubeUnavailable
from together_operator.controller.queue import Key
from together_operator.controller.tombstone import Tombstone
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason

TOMBSTONE = Tombstone("abcdef", "abcdefghijkl", ("aaaa",), 2e9)


def test_a_thousand_resources_of_one_secret_read_it_once() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        kube.delay = 0.2
        keys = ring(kube)
        many = [resource(kube, f"r{number}") for number in range(1000)]
        found = await asyncio.gather(*(keys.user(each, anew=True) for each in many))
        assert kube.calls["get_secret"] == 1
        assert len({id(key) for key in found}) == 1

    virtually(scene())


def test_without_a_reason_a_secret_is_read_at_most_once_a_minute() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys, one = ring(kube), resource(kube)
        for _ in range(600):
            await keys.user(one)
            await asyncio.sleep(1)
        assert kube.calls["get_secret"] <= 10

    virtually(scene())


def test_an_event_of_a_resource_has_the_secret_read_again() -> None:
    async def scene() -> None:
        kube = FakeKube()
        keys, one = ring(kube), resource(kube)
        assert trouble(await keys.user(one)).reason is Reason.SECRET_MISSING
        kube.give_key("key-one")
        await asyncio.sleep(2)
        assert trouble(await keys.user(one)).reason is Reason.SECRET_MISSING
        assert held(await keys.user(one, anew=True)).identity

    virtually(scene())


def test_an_event_is_answered_by_a_reading_that_began_after_it() -> None:
    """Waiting for the one that is under way ends, and leads to one more for all who asked since."""

    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        kube.delay = 0.2
        keys, one = ring(kube), resource(kube)
        under_way = asyncio.create_task(keys.user(one, anew=True))
        await asyncio.sleep(0.1)
        kube.give_key("key-two")
        late = [asyncio.create_task(keys.user(one, anew=True)) for _ in range(100)]
        await under_way
        assert len({held(found).identity for found in await asyncio.gather(*late)}) == 1
        assert kube.calls["get_secret"] == 2

    virtually(scene())


def test_an_event_in_the_very_moment_in_which_a_reading_ends() -> None:
    """It is over, and the loop has not told so yet: not to be waited for without end."""

    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        kube.delay = 0.2
        keys, one = ring(kube), resource(kube)
        under_way = asyncio.create_task(keys.user(one, anew=True))
        while not kube.calls["get_secret"]:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        assert not under_way.done()
        await keys.user(one, anew=True)
        await under_way
        assert kube.calls["get_secret"] == 2

    virtually(scene())


def test_a_refused_key_is_read_again_at_once_and_then_no_more_than_any_other() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys, one = ring(kube), resource(kube)
        first = held(await keys.user(one))
        await asyncio.sleep(2)
        for _ in range(300):
            await keys.user(one, refused=first.identity)
            await asyncio.sleep(0.1)
        assert kube.calls["get_secret"] == 2
        await asyncio.sleep(60)
        kube.give_key("key-two")
        second = held(await keys.user(one, refused=first.identity))
        assert second.identity != first.identity
        calls = kube.calls["get_secret"]
        await asyncio.sleep(5)
        # What was refused is the former key: no reason to look for another one.
        await keys.user(one, refused=first.identity)
        assert kube.calls["get_secret"] == calls
        await keys.user(one, refused=second.identity)
        assert kube.calls["get_secret"] == calls + 1

    virtually(scene())


def test_no_key_refused_is_no_reason_to_hurry() -> None:
    async def scene() -> None:
        kube = FakeKube()
        keys, one = ring(kube), resource(kube)
        for _ in range(30):
            await keys.user(one)
            await asyncio.sleep(1.5)
        assert kube.calls["get_secret"] == 1

    virtually(scene())


def test_a_failed_reading_is_told_to_all_who_wait_and_kept_by_none() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        kube.delay = 0.1
        kube.fail["get_secret"] = [KubeUnavailable("the API server is away")]
        keys = ring(kube)
        both = [resource(kube, name) for name in ("one", "two")]
        found = await asyncio.gather(*map(keys.user, both), return_exceptions=True)
        assert [type(each) for each in found] == [KubeUnavailable, KubeUnavailable]
        assert held(await keys.user(both[0]))

    virtually(scene())


def test_what_may_not_be_read_is_told_as_a_condition() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.fail["get_secret"] = [Forbidden("get secrets in ml", 'User "me" cannot get it')]
        found = trouble(await ring(kube).user(resource(kube)))
        assert found.reason is Reason.SECRET_MISSING
        assert "Grant it" in found.message

    virtually(scene())


def test_an_operator_key_file_that_cannot_be_read_is_told_and_read_again() -> None:
    async def scene() -> None:
        kube = FakeKube()
        contents: list[OSError | UnicodeDecodeError | str | None] = [
            FileNotFoundError(2, "No such file or directory"),
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
            None,
            "key-one",
        ]

        def read() -> str | None:
            content = contents.pop(0)
            if isinstance(content, Exception):
                raise content
            return content

        keys = ring(kube, operator_key=read, namespaces=frozenset({"ml"}))
        one = resource(kube, apiKeySecretRef=None)
        missing = trouble(await keys.user(one))
        assert missing.reason is Reason.SECRET_MISSING
        assert "No such file" in missing.message
        assert "not text" in trouble(await keys.user(one)).message
        assert "no key of its own" in trouble(await keys.user(one)).message
        assert held(await keys.user(one)).identity

    virtually(scene())


def test_the_operators_key_serves_only_the_namespaces_it_is_told() -> None:
    async def scene() -> None:
        kube = FakeKube()
        keys = ring(kube, operator_key=lambda: "key-one", namespaces=frozenset({"other"}))
        found = trouble(await keys.user(resource(kube, apiKeySecretRef=None)))
        assert "does not serve the namespace ml" in found.message

    virtually(scene())


def test_a_copy_written_while_the_copies_are_listed_is_not_forgotten() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys = ring(kube)
        one, two = resource(kube, "one"), resource(kube, "two")
        key = held(await keys.user(one))
        await keys.keep(one, key)

        listed, written = asyncio.Event(), asyncio.Event()
        real = kube.list_secrets

        async def slow(namespace: str, selector: str) -> AsyncIterator[Json]:
            async for secret in real(namespace, selector):
                listed.set()
                await written.wait()
                yield secret

        kube.list_secrets = slow  # type: ignore[method-assign]
        loading = asyncio.create_task(keys.load())
        await listed.wait()
        await asyncio.wait_for(keys.keep(two, key), 5)
        await asyncio.wait_for(keys.drop(one.uid), 5)
        written.set()
        await loading
        assert keys.held(one.uid) is None
        assert keys.held(two.uid) is key

    virtually(scene())


def test_ten_thousand_copies_of_one_key_are_one_key() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys = ring(kube)
        key = held(await keys.user(resource(kube)))
        for number in range(20):
            await keys.keep(resource(kube, f"r{number}"), key)
        await keys.load()
        assert {id(copy.key) for copy in keys} == {id(key)}

    virtually(scene())


def test_a_key_that_nobody_uses_is_not_kept_in_memory() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys = ring(kube)
        await keys.user(resource(kube))
        await asyncio.sleep(601)
        keys.forget_readings()
        gc.collect()
        assert not keys._known
        assert not keys._readings

    virtually(scene())


def test_a_tombstone_survives_and_is_found_without_looking_at_every_copy() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys = ring(kube)
        one, two = resource(kube, "one"), resource(kube, "two")
        key = held(await keys.user(one))
        await keys.keep(one, key)
        await keys.keep(two, key)
        assert keys.buried() == []
        await keys.entomb(one, TOMBSTONE, key.identity)
        assert [copy.uid for copy in keys.buried()] == [one.uid]
        again = ring(kube)
        await again.load()
        assert [copy.tombstone for copy in again.buried()] == [TOMBSTONE]
        await again.drop(one.uid)
        assert again.buried() == []

    virtually(scene())


def test_a_tombstone_is_written_with_the_persons_key_where_the_copy_has_vanished() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys, one = ring(kube), resource(kube)
        key = held(await keys.user(one))
        await keys.entomb(one, TOMBSTONE, "another-key")
        assert kube.copies() == {}
        await keys.entomb(one, TOMBSTONE, key.identity)
        assert set(kube.copies()) == {one.uid}

    virtually(scene())


def test_a_secret_that_only_looks_like_a_copy_is_left_alone() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one", "stray", "system")
        kube.secrets["system", "stray"]["metadata"]["labels"] = {
            "together-operator.io/key-copy": "true"
        }
        keys = ring(kube)
        await keys.load()
        assert list(keys) == []
        assert kube.calls["delete_secret"] == 0

    virtually(scene())


def test_copies_are_written_side_by_side() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        keys = ring(kube)
        many = [resource(kube, f"r{number}") for number in range(16)]
        key = held(await keys.user(many[0]))
        kube.delay = 1.0
        began = steady()
        await asyncio.gather(*(keys.keep(each, key) for each in many))
        assert steady() - began < 2.0

    virtually(scene())


def test_the_place_of_a_resource_is_its_namespace() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.give_key("key-one")
        kube.apply("one", "elsewhere")
        other = TogetherEndpoint.parse(kube.endpoints[Key("elsewhere", "one")])
        assert trouble(await ring(kube).user(other)).reason is Reason.SECRET_MISSING

    virtually(scene())
