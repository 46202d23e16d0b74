"""Reads that many share: once, for all, and no longer than they are good."""

from __future__ import annotations

import asyncio

import pytest

from together_operator.drivers._shared import SharedReads


class Source:
    """What is read from, slowly where a test asks for it."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 0.0
        self.failing = False

    async def read(self, key: str) -> str:
        self.reads.append(key)
        self.asked.set()
        await self.gate.wait()
        if self.failing:
            raise RuntimeError("a bug")
        return f"{key}{len(self.reads)}"

    def shared(self, most: int = 256) -> SharedReads[str, str]:
        return SharedReads(
            self.read, good=lambda _: True, seconds=10, most=most, clock=lambda: self.now
        )


async def test_an_answer_is_used_until_it_is_old() -> None:
    source = Source()
    shared = source.shared()
    assert [await shared.get("a"), await shared.get("a")] == ["a1", "a1"]
    source.now = 9.9
    assert await shared.get("a") == "a1"
    source.now = 10.0
    assert await shared.get("a") == "a2"


async def test_the_age_counts_from_the_question() -> None:
    source = Source()
    shared = source.shared()
    source.gate.clear()
    waiting = asyncio.create_task(shared.get("a"))
    await source.asked.wait()
    source.now = 8.0
    source.gate.set()
    assert await waiting == "a1"
    source.now = 11.0
    assert await shared.get("a") == "a2"


async def test_a_caller_that_gives_up_leaves_the_read_to_the_others() -> None:
    source = Source()
    shared = source.shared()
    source.gate.clear()
    impatient = asyncio.create_task(shared.get("a"))
    patient = asyncio.create_task(shared.get("a"))
    await source.asked.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    source.gate.set()
    assert await patient == "a1"
    assert source.reads == ["a"]


async def test_a_crash_is_not_kept() -> None:
    source = Source()
    shared = source.shared()
    source.failing = True
    with pytest.raises(RuntimeError):
        await shared.get("a")
    source.failing = False
    assert await shared.get("a") == "a2"


async def test_the_oldest_answer_makes_room() -> None:
    source = Source()
    shared = source.shared(most=2)
    for key in ("a", "b", "c", "b", "a"):
        await shared.get(key)
    assert source.reads == ["a", "b", "c", "a"]
