"""A swap that goes through, one that fails, and one that is taken back on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.chaos.by_hand import AS_V2
from tests.chaos.goal import SERVING, Goal
from tests.chaos.scenario import NEVER, V2, Scenario
from tests.support.operator import HARDWARE

if TYPE_CHECKING:
    from tests.chaos.run import Run


OTHER_HARDWARE: Final = "4x_nvidia_h100_80gb_sxm"
"""What a swap asks for; what it asked for before is `HARDWARE`."""

_AS_V2: Final = {**AS_V2, OTHER_HARDWARE: "4xnvidia-h100-80gb"}


class Swap(Scenario):
    """What cannot be changed of what serves is changed, and another one takes its place."""

    name = "swap"
    sends_v2 = frozenset({"POST", "PATCH", "DELETE"})
    apis = V2

    def prepare(self, run: Run) -> None:
        """Have it serve."""
        run.apply(replacement="Swap")
        run.reaches("Serving")

    def act(self, run: Run) -> None:
        """Ask for other hardware."""
        run.swap(hardware=OTHER_HARDWARE)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """Another one serves, on that hardware."""
        return (replace(SERVING, hardware=_AS_V2[OTHER_HARDWARE]),)


class SwapFailed(Swap):
    """What is to take the place of what serves never comes up, and fails."""

    name = "swap-failed"

    def act(self, run: Run) -> None:
        """Ask for other hardware, and have what comes of it fail each time."""
        run.together.assume(starting_seconds=NEVER)
        run.swap(hardware=OTHER_HARDWARE)

        def coming() -> list[str]:
            other = _AS_V2[OTHER_HARDWARE]
            live = run.books().running() if not run.over else []
            return [entry["id"] for entry in live if entry["hardware"] == other]

        def fail() -> None:
            for deployment in coming():
                run.note(f"{deployment} fails")
                run.force(deployment, "ERROR")
            run.once(lambda: bool(coming()), fail, trouble=False)

        run.once(lambda: bool(coming()), fail)

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """The former one serves as before, and that is told."""
        serves = Goal.of("ReplacementFailed", state="STARTED", hardware=_AS_V2[HARDWARE])
        return (serves,)


class SwapBack(Swap):
    """What was asked for in the place of what serves is taken back, at whatever moment."""

    name = "swap-back"

    def act(self, run: Run) -> None:
        """Ask for other hardware, and change one's mind."""
        run.swap(hardware=OTHER_HARDWARE)
        run.after(run.chance.uniform(0, 3), lambda: run.swap(hardware=HARDWARE))

    def goals(self, run: Run) -> tuple[Goal, ...]:
        """It serves on the former hardware."""
        return (replace(SERVING, hardware=_AS_V2[HARDWARE]),)
