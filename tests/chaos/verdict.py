"""What became of a run: one list of words for each thing that can be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """What became of a run.

    Attributes:
        seed: What it was drawn from.
        scenario: What happened.
        fault: What went wrong.
        api: In which generation of Together's API.
        crashes: Where the operator was to end.
        reached: Where it did.
        converged: Seconds from the last trouble until everything agreed; `None` if it never did.
        seconds: How long the run took.
        duplicates: Endpoints that lived at the same time as another of the same resource.
        leaks: Endpoints that outlived their resource.
        lost: Endpoints on record that were deleted, or are on nobody's record.
        wrong_stops: Stops that nobody had asked for.
        wrong_starts: Starts that nobody had asked for.
        keys: Places in which a key was seen.
        others: Whatever else is wrong.
        counts: How often each boundary was met.
        notes: What happened, in order.
    """

    seed: str
    scenario: str
    fault: str
    api: str = "V1"
    crashes: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    converged: float | None = None
    seconds: float = 0.0
    duplicates: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    wrong_stops: list[str] = field(default_factory=list)
    wrong_starts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, in words."""
        kinds = ("duplicates", "leaks", "lost", "wrong_stops", "wrong_starts", "keys", "others")
        return [f"{kind}: {text}" for kind in kinds for text in getattr(self, kind)]

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be, and it could be judged at all."""
        return not self.problems and self.converged is not None
