"""A Dockerfile as a list of instructions, and its build stage replayed in a plain folder.

No container engine can be counted on where tests run. Reading the file shows what it promises, and
replaying its COPY and RUN lines shows that they work; only the image itself needs a builder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LABEL = re.compile(r'(\S+?)=(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: Such as RUN.
        flags: Such as `{"from": "build"}`.
        rest: What follows, on one line.
    """

    keyword: str
    flags: Mapping[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """What follows, split at blanks."""
        return self.rest.split()

    @property
    def command(self) -> list[str]:
        """The JSON form of ENTRYPOINT and CMD; without it signals would end at a shell."""
        parsed = json.loads(self.rest)
        assert isinstance(parsed, list)
        return parsed

    @property
    def pairs(self) -> dict[str, str]:
        """The `key=value` pairs of LABEL and ENV."""
        return {key: quoted or plain for key, quoted, plain in _LABEL.findall(self.rest)}


@dataclass
class Stage:
    """One stage.

    Attributes:
        image: What it starts from, with arguments filled in.
        name: Its name, empty if it has none.
        instructions: What it does.
    """

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        """Its instructions of one kind."""
        return [item for item in self.instructions if item.keyword == keyword]

    def only(self, keyword: str) -> Instruction:
        """Its single instruction of one kind."""
        [found] = self.all(keyword)
        return found


def parse(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile.

    Args:
        text: Its text.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        keyword, _, rest = line.partition(" ")
        flags = dict(re.findall(r"--(\w+)=(\S+)", rest)) if keyword == "COPY" else {}
        rest = re.sub(r"^(--\w+=\S+\s+)+", "", rest.strip())
        if keyword == "ARG" and not stages:
            name, _, default = rest.partition("=")
            arguments[name] = default
        elif keyword == "FROM":
            image, _, name = rest.partition(" AS ")
            for argument, value in arguments.items():
                image = image.replace(f"${{{argument}}}", value)
            stages.append(Stage(image, name))
        else:
            stages[-1].instructions.append(Instruction(keyword, flags, rest))
    return stages


def replay(stage: Stage, context: Path, root: Path, environment: Mapping[str, str]) -> None:
    """Do what a build stage does, with a folder in place of the root file system.

    Args:
        stage: The stage.
        context: The build context.
        root: The folder; the stage's paths under /opt end up here.
        environment: Further variables, such as pip's.

    Raises:
        AssertionError: A RUN line failed; the message has its output.
    """
    bin_folder = root / "bin"
    bin_folder.mkdir(parents=True)
    # The base image has `python` on PATH; a link would not find the environment it belongs to.
    (bin_folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    variables = {
        **os.environ,
        **environment,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }
    here = root
    for item in stage.instructions:
        if item.keyword == "WORKDIR":
            here = root / item.rest.lstrip("/")
            here.mkdir(parents=True)
        elif item.keyword == "ENV":
            variables |= item.pairs
        elif item.keyword == "COPY":
            *sources, target = item.words
            _copy([context / source for source in sources], here / target, target.endswith("/"))
        else:
            assert item.keyword == "RUN", f"{item.keyword} is not replayed"
            command = re.sub(r"(?<=\s)/opt/", f"{root}/opt/", f" {item.rest}")
            done = subprocess.run(
                ["/bin/sh", "-ec", command],
                cwd=here,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def _copy(sources: list[Path], target: Path, into: bool) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    for source in sources:
        destination = target / source.name if into else target
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, destination, ignore=ignore)
        else:
            shutil.copy2(source, destination)
