"""Rules of the protocol taken out of a copy of the operator: does the campaign notice?

A campaign that finds nothing proves something only if it finds what is wrong. The operator runs
from a copy of its code in which one rule is removed by its very text, which has to be there exactly
once, so that a rule that is rewritten asks for a new mutation. There is no switch for any of it in
the code that ships. `tests/model` does the same with the decision alone; here is what only whole
processes show.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.boundary import Crash, Point
from tests.chaos.plan import Plan
from tests.chaos.verdict import Verdict
from tests.cluster.resources import PROJECT

_PACKAGE: Final = "together_operator"
_ORDER: Final = "together POST /endpoints"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the copy.

    Attributes:
        file: Which file of the package.
        old: What is there, exactly once.
        new: What is put in its place.
    """

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule that is removed.

    Attributes:
        rule: Its number in the protocol, or the invariant.
        about: What is left out.
        edits: How.
        scenario: In what that shows.
        fault: What has to go wrong for it.
        crash: Where the operator has to end for it, if it has to.
        shows: What is wrong then, as the verdict calls it.
        runs: In how many runs at most: some draw what else has to happen.
        api: In which generation of Together's API.
    """

    rule: str
    about: str
    edits: tuple[Edit, ...]
    scenario: str
    shows: str
    fault: str = "none"
    crash: Crash | None = None
    runs: int = 1
    api: str = "V1"

    def plans(self, name: str) -> list[Plan]:
        """The runs in one of which it shows, at the least."""
        crashes = () if self.crash is None else (self.crash,)
        delays = tuple(0.0 for _ in crashes)
        return [
            Plan(f"{name}:{number}", self.scenario, self.fault, crashes, delays, api=self.api)
            for number in range(self.runs)
        ]

    def caught(self, verdicts: Iterable[Verdict]) -> bool:
        """Whether the campaign came upon it, and called it by its name."""
        return any(getattr(verdict, self.shows) for verdict in verdicts)

    def apply(self, folder: Path) -> dict[str, str]:
        """Make the copy.

        Args:
            folder: Where it goes; it must not exist.

        Returns:
            The environment in which Python finds the copy first.

        Raises:
            ValueError: The text of the rule is not there any more.
        """
        shutil.copytree(
            PROJECT / "operator" / _PACKAGE,
            folder / _PACKAGE,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for edit in self.edits:
            path = folder / _PACKAGE / edit.file
            text = path.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise ValueError(f"{edit.file} does not say {edit.old!r} exactly once any more")
            path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        return {"PYTHONPATH": str(folder)}


MUTATIONS: Final[dict[str, Mutation]] = {
    "order-repeated": Mutation(
        "5", "an order is sent again when the connection is cut",
        (Edit("together/_verbs.py", "fresh=True, fence=fence\n        )\n",
              "fresh=True, fence=fence\n        )\n"
              "        if isinstance(seen, Failure):\n"
              "            seen = await self._send(call, self._wire.timeouts.create)\n"),),
        "create", "duplicates", fault="reset-after",
    ),
    "no-settling": Mutation(
        "7", "an order without an answer is not waited for",
        (Edit("core/timing.py", "return self.fence + self.post_timeout + self.late + self.lag",
              "return 0.0"),),
        "create", "duplicates", fault="late-effect",
    ),
    "no-claim": Mutation(
        "8", "what an earlier process made is not looked for",
        (Edit("core/scan.py", "ours.append(Found(line.id, trait.marker.nonce",
              "(lambda _: None)(Found(line.id, trait.marker.nonce"),),
        "create", "duplicates", crash=Crash(_ORDER, 1, Point.UNANSWERED),
    ),
    "no-key-copy": Mutation(
        "1", "no copy of the key is kept",
        (Edit("core/creating.py", "if observed.keys.held != user:", "if False:"),
         Edit("core/creating.py", "keys.user == keys.held == operation.credential",
              "keys.user == operation.credential"),
         Edit("core/rekeying.py", "    if keys.user == keys.held:\n        return None\n",
              "    if keys.held is None or keys.user == keys.held:\n        return None\n")),
        "delete-namespace", "others",
        crash=Crash("together DELETE /endpoints/{id}", 1, Point.BEFORE),
    ),
    "deleted-unresolved": Mutation(
        "12", "a deletion does not settle an open attempt",
        (Edit("core/deleting.py", "if not subjects or", "if True or"),),
        "delete-unresolved", "leaks", runs=3,
    ),
    "started-again": Mutation(
        "I8", "what was stopped by a person is started again",
        (Edit("core/upkeep.py", "if not turned and not asked:", "if False:"),),
        "scale", "wrong_starts", fault="stopped",
    ),
    "started-again-v2": Mutation(
        "I8", "what was stopped by a person is started again in API v2",
        (Edit("core/upkeep.py", "if not turned and not asked:", "if False:"),),
        "scale", "wrong_starts", fault="stopped", api="V2",
    ),
    "traffic-taken": Mutation(
        "I3", "a swap writes the traffic as if it were the operator's alone",
        (Edit("core/routing.py", "(Weight(deployment_id, weight), *strangers)",
              "(Weight(deployment_id, weight),)"),),
        "swap", "lost", fault="guest", api="V2", runs=3,
    ),
    "moved-untried": Mutation(
        "I1", "the traffic moves before what it goes to is ready",
        (Edit("core/swapping.py", "def _try(\n", "def _try(*_: object) -> Decision | None:\n"
              "    return None\n\n\ndef _tried(\n"),),
        "swap", "others", api="V2",
    ),
    "key-told": Mutation(
        "I6", "a key is told in the log",
        (Edit("together/_credential.py", "        yield request",
              "        print(request.headers['Authorization'])\n        yield request"),),
        "create", "keys",
    ),
}  # fmt: skip
"""Every mutation, by name."""
