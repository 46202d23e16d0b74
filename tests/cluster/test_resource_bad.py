"""Manifests that are wrong, one mistake each: every one is refused with words that help.

A file says on its first lines what its author must read: `# expect: <part of the API server's
answer>`. What only Together or the cluster can know (`# expect-condition: <Reason>`) is accepted
here, and is for the operator to report.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.resources import Resources
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
EXPECT = "# expect: "
EXPECT_CONDITION = "# expect-condition: "


def _expected(path: Path, prefix: str) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


REFUSED = [path for path in BAD if _expected(path, EXPECT)]
REPORTED = [path for path in BAD if _expected(path, EXPECT_CONDITION)]


def test_every_file_says_what_to_expect() -> None:
    assert len(REFUSED) >= 40
    assert sorted(REFUSED + REPORTED) == BAD


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_refused_with_its_message(resources: Resources, path: Path) -> None:
    said = resources.refused("apply", "-f", str(path))
    for fragment in _expected(path, EXPECT):
        assert fragment in said
    assert resources.run("get", "tep", "-o", "name").stdout == ""


@pytest.mark.parametrize("path", REPORTED, ids=lambda path: path.stem)
def test_accepted_and_left_to_the_operator(resources: Resources, path: Path) -> None:
    (reason,) = _expected(path, EXPECT_CONDITION)
    assert reason in set(Reason)
    resources.run("apply", "-f", str(path))
    assert TogetherEndpoint.parse(resources.read(path.stem)).spec.model
