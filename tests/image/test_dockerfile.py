"""What the Dockerfile promises, read from its text."""

from __future__ import annotations

import re

from tests.image.dockerfile import Stage, parse
from tests.image.wheels import ROOT
from together_operator import __version__

TEXT = (ROOT / "Dockerfile").read_text()


def stages() -> tuple[Stage, Stage]:
    build, final = parse(TEXT)
    return build, final


def test_two_stages_from_one_base_by_tag() -> None:
    build, final = stages()
    assert build.name == "build"
    assert build.image == final.image
    assert re.fullmatch(r"python:3\.\d+-slim", final.image)


def test_every_package_is_locked() -> None:
    build, _final = stages()
    installs = [
        command
        for item in build.all("RUN")
        for command in item.rest.split("&&")
        if re.search(r"\b(install|wheel|download)\b", command)
    ]
    assert len(installs) == 4
    for command in installs:
        from_lock = "--require-hashes -r locks/" in command
        own = "--no-deps" in command and ("--no-index" in command or "--no-build-iso" in command)
        assert from_lock or own, command


def test_nothing_is_fetched_by_other_ways() -> None:
    for stage in stages():
        assert not stage.all("ADD")
        for item in stage.all("RUN"):
            assert not re.search(r"\b(curl|wget|git|apt|apt-get|apk)\b", item.rest)


def test_the_final_stage_only_copies() -> None:
    _build, final = stages()
    assert not final.all("RUN")
    [copy] = final.all("COPY")
    assert copy.flags == {"from": "build"}
    assert copy.words == ["/opt/together-operator", "/opt/together-operator"]


def test_it_runs_as_nobody_in_particular() -> None:
    """By number, so that a cluster can verify runAsNonRoot."""
    _build, final = stages()
    assert final.only("USER").rest == "65532:65532"


def test_it_starts_the_operator_without_a_shell() -> None:
    _build, final = stages()
    assert final.only("ENTRYPOINT").command == ["together-operator"]
    assert final.only("CMD").command == ["run"]


def test_labels() -> None:
    _build, final = stages()
    labels = final.only("LABEL").pairs
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == __version__
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert {f"{prefix}title", f"{prefix}description"} < labels.keys()


def test_the_simulator_stays_out_of_the_build_context() -> None:
    """Everything is ignored but what is listed, and the list is what the Dockerfile copies."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-1] == "**/__pycache__"
    let_in = {rule.removeprefix("!") for rule in rules[1:-1]}
    build, _final = stages()
    copied = {source for item in build.all("COPY") for source in item.words[:-1]}
    assert {path if path in let_in else path.rpartition("/")[0] for path in copied} == let_in
    assert not any("together_local" in path for path in copied)
