"""The demo keeps what it promises, and cleans up however it ends."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.machine import eventually
from tests.demo.performance import PERSONS_KEY, Performance, performing
from together_local.cluster.binaries import Binaries
from together_local.cluster.processes import recorded
from together_local.demo.shell import API_KEY
from together_local.simulator import AdminClient


@pytest.fixture(scope="module", autouse=True)
def built(binaries: Binaries) -> None:
    """Have the binaries built where it is shown, and not by a demo that is waited for."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    """The whole demo, once."""
    with performing(tmp_path_factory.mktemp("demo")) as performance:
        assert performance.end() == 0, performance.said
        yield performance


def chapter(said: str, title: str) -> str:
    """What was said below a title."""
    found = re.search(rf"^── {title}.*? ──\n(.*?)(?=^── |\Z)", said, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no chapter {title!r} in:\n{said}"
    return found[1]


def rows(text: str) -> list[tuple[str, str]]:
    """READY and REASON of the rows of a watch, in their order."""
    found = re.findall(r"^mixtral +(True|False) +(\w+) ", text, re.MULTILINE)
    return [
        row for position, row in enumerate(found) if position == 0 or found[position - 1] != row
    ]


def test_from_nothing_to_ready(told: Performance) -> None:
    text = chapter(told.said, "From nothing to Ready")
    assert text.index("No resources found") < text.index("mixtral created")
    states = rows(text)
    assert states[0] == ("False", "Creating")
    assert states[-1] == ("True", "Serving")


def test_it_answers_under_its_inference_name(told: Performance) -> None:
    text = chapter(told.said, "It answers")
    name = re.search(r'"model":"([^"]+)"', text)
    assert name is not None
    assert "200 OK" in text
    assert f"This is {name[1]}" in text


@pytest.mark.parametrize(
    ("title", "command", "row"),
    [
        ("Scaled", "kubectl scale tep/mixtral --replicas=2", r"True +Serving +\S+ +2 "),
        ("Renamed", "displayName", r"True +Serving "),
        ("Stopped", '"state":"Stopped"', r"True +Stopped "),
        ("Started again", '"state":"Started"', r"True +Serving +\S+ +2 "),
    ],
)
def test_each_change_is_typed_and_carried_out(
    told: Performance, title: str, command: str, row: str
) -> None:
    text = chapter(told.said, title)
    assert command in text
    last = [line for line in text.splitlines() if line.startswith("mixtral ")][-1]
    assert re.match(rf"mixtral +{row}", last)


def test_the_events_tell_what_happened(told: Performance) -> None:
    text = chapter(told.said, "What happened")
    assert re.search(r"Normal +\w+ +TogetherEndpoint/mixtral ", text)


def test_deleted_and_billed_exactly_once(told: Performance) -> None:
    gone = chapter(told.said, "Deleted")
    assert ("False", "Deleting") in rows(gone)
    assert gone.rstrip().endswith("No resources found in ml namespace.")
    bill = chapter(told.said, "The bill")
    assert re.search(r"^endpoint-\S+ +2x_nvidia_h100_80gb_sxm .* deleted$", bill, re.MULTILINE)
    cost = re.search(
        r"Requests to create an endpoint: 1\. Created: 1\. Still there: 0\. Billed: \$(\S+),", bill
    )
    assert cost is not None, bill
    assert float(cost[1]) > 0


def test_a_log_gets_plain_lines(told: Performance) -> None:
    assert told.said.isprintable() or set(filter(lambda c: not c.isprintable(), told.said)) == {
        "\n"
    }


def test_a_persons_key_is_not_touched(told: Performance) -> None:
    assert PERSONS_KEY not in told.said


def test_nothing_is_left(told: Performance) -> None:
    told.left_nothing()


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performance]:
    """The whole demo for an account to which v1 is closed, once: on API v2."""
    with performing(tmp_path_factory.mktemp("demo"), "--profile", "retired") as performance:
        assert performance.end() == 0, performance.said
        yield performance


def test_a_closed_account_goes_on_in_v2_and_nobody_is_told_of_a_dead_end(
    moved: Performance,
) -> None:
    text = chapter(moved.said, "From nothing to Ready")
    assert rows(text)[-1] == ("True", "Serving")
    assert "V1Closed" not in moved.said
    text = chapter(moved.said, "Together has closed API v1")
    assert re.search(r"^mixtral +True +Serving .* ep_\w+ +V2$", text, re.MULTILINE)
    assert re.search(r"^V2\ndep_\w+$", text, re.MULTILINE)
    assert " MovedToV2 " in chapter(moved.said, "What happened")


def test_on_v2_it_answers_under_the_name_that_it_keeps(moved: Performance) -> None:
    text = chapter(moved.said, "It answers")
    name = re.search(r'"model":"([^"]+)"', text)
    assert name is not None
    assert re.fullmatch(r"default/mixtral-[a-z2-7]{5}", name[1])
    assert f"This is {name[1]}/" in text
    assert set(re.findall(r"Answers as model '(.*)'", moved.said)) == {name[1]}


@pytest.mark.parametrize(
    ("title", "row"),
    [
        ("Scaled", r"True +Serving +\S+ +2 "),
        ("Stopped", r"True +Stopped "),
        ("Started again", r"True +Serving +\S+ +2 "),
    ],
)
def test_on_v2_each_change_is_carried_out(moved: Performance, title: str, row: str) -> None:
    last = [line for line in chapter(moved.said, title).splitlines() if line[:8] == "mixtral "][-1]
    assert re.match(rf"mixtral +{row}", last)


def test_v2_has_no_display_name_to_tell_of(moved: Performance) -> None:
    assert "displayName" not in moved.said


def test_on_v2_deleted_and_billed_exactly_once(moved: Performance) -> None:
    gone = chapter(moved.said, "Deleted")
    assert gone.rstrip().endswith("No resources found in ml namespace.")
    bill = chapter(moved.said, "The bill")
    assert re.search(r"^dep_\w+ +2xnvidia-h100-80gb .* deleted$", bill, re.MULTILINE)
    summary = "Requests to create an endpoint: 2, of which 1 refused. Created: 1. Still there: 0."
    assert summary in bill


def test_on_v2_nothing_is_left_either(moved: Performance) -> None:
    moved.left_nothing()


@pytest.mark.parametrize(
    ("moment", "number", "to_group"),
    [
        ("Starting etcd", signal.SIGINT, True),
        ("mixtral +False +Creating", signal.SIGINT, True),
        ("mixtral +False +Creating", signal.SIGINT, False),
        ("mixtral +False +Creating", signal.SIGTERM, False),
    ],
    ids=["ctrl-c early", "ctrl-c", "SIGINT to it alone", "SIGTERM"],
)
def test_interrupted_it_leaves_nothing(
    tmp_path: Path, moment: str, number: signal.Signals, to_group: bool
) -> None:
    with performing(tmp_path) as performance:
        performance.until(moment)
        if to_group:
            assert performance.signal(number) == 130
        else:
            os.kill(performance.popen.pid, number)
            assert performance.end() == 130
        assert "Traceback" not in performance.said
    performance.left_nothing()


def test_killed_it_leaves_no_process(tmp_path: Path) -> None:
    with performing(tmp_path) as performance:
        performance.until("mixtral +False +Creating")
        performance.popen.kill()
    # `performing` made sure.


def test_it_shows_why_it_failed(tmp_path: Path) -> None:
    with performing(tmp_path) as performance:
        performance.until("mixtral +False +Creating")
        (record,) = performance.folder.glob("*/processes.json")
        recorded(record)["operator"].signal(signal.SIGKILL)
        assert performance.end() == 1
    assert re.search(r"^Ready +False +Creating ", performance.said, re.MULTILINE)
    assert chapter(performance.said, "The end of the operator's log").strip()
    assert "Error: The operator ended by itself" in chapter(performance.said, "The demo failed")
    performance.left_nothing()


def test_a_failure_at_together_is_told_at_once(tmp_path: Path) -> None:
    with performing(tmp_path, "--speed", "1") as performance:
        performance.until("mixtral +False +Creating")
        url = re.search(r"simulated Together at (\S+)/v1", performance.said)
        assert url is not None
        admin = AdminClient(url[1])
        eventually(lambda: len(admin.live()) == 1, "the endpoint exists")
        admin.force(admin.live()[0]["id"], state="ERROR")
        admin.close()
        assert performance.end() == 1
    assert re.search(r"^Stalled +True +EndpointFailed ", performance.said, re.MULTILINE)
    assert "tep/mixtral is stalled: " in chapter(performance.said, "The demo failed")
    performance.left_nothing()


def test_kept_it_can_be_used_until_ctrl_c(tmp_path: Path) -> None:
    with performing(tmp_path, "--keep") as performance:
        performance.until(r"(?s)All of it keeps running.*its metrics")
        exports = re.findall(r"^export .*$", performance.said, re.MULTILINE)

        def typed(command: str) -> str:
            done = subprocess.run(
                ["/bin/sh", "-c", "\n".join([*exports, command])],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            return done.stdout

        assert rows(typed("kubectl get tep")) == [("True", "Serving")]
        secret = typed("kubectl get secret together -o jsonpath='{.data.api-key}'")
        assert base64.b64decode(secret).decode() == API_KEY
        assert "Created: 1. Still there: 1." in chapter(performance.said, "The bill")
        assert performance.signal(signal.SIGINT) == 0, performance.said
    assert "Nothing is left running" in performance.said
    performance.left_nothing()
