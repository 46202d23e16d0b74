"""A hundred thousand states of the model, and every rule missed when it is taken out.

`make model` explores a million.
"""

from __future__ import annotations

import random

import pytest

from tests.core.world import single

from .exploring import shares
from .mixes import MIXES, Mix
from .moves import Scene, fair, moves, play, thoughts
from .mutations import ENOUGH, MUTATIONS, Mutation, try_out
from .search import search
from .story import tell

STATES = 130_000
"""How many states are visited here; some mixes have fewer than their share."""

_visited: dict[str, int] = {}


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix.name)
def test_no_promise_is_broken_and_all_comes_to_rest(mix: Mix) -> None:
    result = search(mix, shares(MIXES, STATES)[mix.name], samples=20)
    assert result.violation is None, f"{result.violation}\n{tell(mix, result.way)}"
    _visited[mix.name] = result.states


def test_a_hundred_thousand_states_have_been_visited() -> None:
    if len(_visited) < len(MIXES):
        pytest.fail("Run the whole file: the states are those of all its mixes")
    states = sum(_visited.values())
    print(f"{states:,} states of {len(_visited)} mixes")
    assert states >= 100_000


def _told(scene: Scene) -> list[object]:
    """What everybody would do next, and what a person would be told."""
    return [
        (who, thought and (type(single(thought)), thought.decision.situation.reason))
        for who, thought in thoughts(scene.world).items()
    ]


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix.name)
def test_the_one_form_of_a_world_changes_no_decision(mix: Mix) -> None:
    """What makes a search finite must not change what it finds: played with and without it."""
    chance = random.Random(mix.name)
    for _ in range(4):
        formed = plain = mix.scene()
        for _ in range(70):
            known = thoughts(formed.world)
            choices = moves(formed, mix.faults, known)
            assert choices == moves(plain, mix.faults, thoughts(plain.world))
            assert _told(formed) == _told(plain)
            move = fair(formed.world) if chance.random() < 0.7 else chance.choice(choices)
            formed, plain = play(formed, move), play(plain, move, form=False)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.rule}: {one.about}")
def test_a_rule_that_is_taken_out_is_missed(mutation: Mutation) -> None:
    assert try_out(mutation, ENOUGH).violation is not None
