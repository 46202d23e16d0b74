"""What the API server cannot know is wrong: each file ends in its condition; the operator lives.

The files that the API server itself refuses are in `test_resource_bad`.
"""

from __future__ import annotations

from tests.cluster.test_resource_bad import EXPECT_CONDITION, REPORTED, expected
from tests.support.contract import assert_contract
from tests.support.operator import manifest
from tests.support.team import Team


def test_each_mistake_is_reported_and_troubles_nobody_else(team: Team) -> None:
    for path in REPORTED:
        team.kubectl("apply", "-f", str(path))
    team.apply(manifest("a-good-one"))
    serving = team.until("a-good-one", "Serving")
    for path in REPORTED:
        (reason,) = expected(path, EXPECT_CONDITION)
        found = team.until(path.stem, reason)
        assert_contract([found])
        assert path.stem in team.kubectl("get", "tep")
    pid = team.operator.pid
    assert team.operator.ready()
    assert team.operator.pid == pid
    # Only what is good, or may have become good, was bought.
    models = [entry["display_name"] for entry in team.live()]
    assert sorted(name.split("/")[1].split(" ")[0] for name in models) == [
        "a-good-one",
        "connection-taken",
    ]
    assert serving["status"]["endpointID"] in {entry["id"] for entry in team.live()}
