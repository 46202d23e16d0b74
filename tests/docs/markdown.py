"""Documents as a reader meets them: headings, links, and blocks to copy."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"

_PARSER = MarkdownIt("commonmark").enable("table")
_COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)


def tracked(*patterns: str) -> list[Path]:
    """The files under version control, links to files left out.

    Args:
        patterns: Globs, as git takes them; all files by default.
    """
    listed = subprocess.run(
        ["git", "-C", str(PROJECT), "ls-files", "-z", "--", *patterns],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [PROJECT / name for name in listed.split("\0") if name]
    # What a fellow author is just moving is in the index, and not in the folder.
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: The word after the fence.
        text: What is in it.
        line: Its line in the document, from 1.
    """

    language: str
    text: str
    line: int

    @property
    def commands(self) -> list[str]:
        """What a reader would type: each command with its continuation lines as one."""
        text = self.text.replace("\\\n", " ")
        if self.language == "console":
            return _COMMAND.findall(text)
        if self.language == "sh":
            return _statements(text)
        return []


def _statements(text: str) -> list[str]:
    """Lines of a shell block without comments; a here-document stays with its command."""
    found: list[str] = []
    end: str | None = None
    for line in text.splitlines():
        if end is not None:
            found[-1] += f"\n{line}"
            end = None if line == end else end
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found.append(line)
        here = re.search(r"<<-?\s*'?(\w+)'?", line)
        end = here[1] if here else None
    return found


@dataclass(frozen=True)
class Document:
    """One Markdown file.

    Attributes:
        path: Where it lies.
        text: What it says.
    """

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file."""
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def _tokens(self) -> list[Token]:
        return _PARSER.parse(self.text)

    @property
    def blocks(self) -> list[Block]:
        """The fenced blocks."""
        return [
            Block(token.info.strip(), token.content, token.map[0] + 1 if token.map else 0)
            for token in self._tokens
            if token.type == "fence"
        ]

    @property
    def headings(self) -> list[str]:
        """The headings' text, in their order."""
        tokens = self._tokens
        return [
            _plain(tokens[position + 1])
            for position, token in enumerate(tokens)
            if token.type == "heading_open"
        ]

    @property
    def anchors(self) -> set[str]:
        """What a link into this document may name, as GitHub makes it of the headings."""
        found: set[str] = set()
        for heading in self.headings:
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            number = 0
            while (anchor := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(anchor)
        return found

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return [str(token.attrs["href"]) for token in self._inline() if token.type == "link_open"]

    @property
    def code(self) -> list[str]:
        """What stands in back-quotes in its text."""
        return [token.content for token in self._inline() if token.type == "code_inline"]

    def _inline(self) -> Iterator[Token]:
        for token in self._tokens:
            yield from token.children or ()


def _plain(inline: Token) -> str:
    children = inline.children or []
    return "".join(child.content for child in children if child.type in ("text", "code_inline"))
