"""Manifests that are wrong, one mistake each: every one is refused with words that help.

A file says on its first lines what its author must read: `# expect: <part of the API server's
answer>`. What only Together or the cluster can know (`# expect-condition: <Reason>`) is accepted
here, and is for the operator to report.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.resources import Resources
from tests.support.cluster import Run
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
EXPECT = "# expect: "
EXPECT_CONDITION = "# expect-condition: "


def expected(path: Path, prefix: str) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


REFUSED = [path for path in BAD if expected(path, EXPECT)]
REPORTED = [path for path in BAD if expected(path, EXPECT_CONDITION)]


@pytest.fixture(scope="module")
def empty(kubectl: Run, crd: str) -> Iterator[Resources]:
    """One namespace for all that is refused, and so stays empty."""
    name = f"test-bad-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield Resources(kubectl, name)
    kubectl("delete", "namespace", name, "--wait=false")


def test_every_file_says_what_to_expect() -> None:
    assert len(REFUSED) >= 40
    assert sorted(REFUSED + REPORTED) == BAD


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_refused_with_its_message(empty: Resources, path: Path) -> None:
    said = empty.refused("apply", "-f", str(path))
    for fragment in expected(path, EXPECT):
        assert fragment in said
    assert empty.run("get", "tep", "-o", "name").stdout == ""


@pytest.mark.parametrize("path", REPORTED, ids=lambda path: path.stem)
def test_accepted_and_left_to_the_operator(resources: Resources, path: Path) -> None:
    (reason,) = expected(path, EXPECT_CONDITION)
    assert reason in set(Reason)
    resources.run("apply", "-f", str(path))
    assert TogetherEndpoint.parse(resources.read(path.stem)).spec.model
