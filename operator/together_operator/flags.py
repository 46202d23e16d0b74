"""How a setting appears to people: as a flag, an environment variable, a row of documentation.

It derives from the settings model alone, so that help text, README and behaviour cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings


@dataclass(frozen=True)
class Flag:
    """The annotation that makes a field of the settings a flag.

    Attributes:
        meaning: What it does, with its unit.
        metavar: What to write after the flag; empty for a switch.
        name: The flag's name where it is not the field's.
        default: Words for a default that is not a plain value.
        panel: The group it is shown in.
    """

    meaning: str
    metavar: str = ""
    name: str = ""
    default: str = ""
    panel: str = ""


class InvalidSettings(ValueError):  # noqa: N818 - said to a person, not handled by a caller
    """The program cannot start with these settings.

    Args:
        model: The settings.
        details: What pydantic found.

    Attributes:
        problems: One line for each setting that is wrong; no secret in them.
    """

    def __init__(self, model: type[BaseSettings], details: Iterable[ErrorDetails]) -> None:
        self.problems = tuple(_problem(model, detail) for detail in details)
        super().__init__("\n".join(self.problems))


class Row(NamedTuple):
    """A line of the table of settings."""

    flag: str
    env: str
    default: str
    meaning: str


def flags(model: type[BaseSettings]) -> dict[str, Flag]:
    """The flags of a settings model by the name of their field, in their order."""
    return {
        name: flag
        for name, field in model.model_fields.items()
        for flag in field.metadata
        if isinstance(flag, Flag)
    }


def flag_name(model: type[BaseSettings], field: str) -> str:
    """The flag of a field, such as `--poll-interval`."""
    return "--" + (flags(model)[field].name or field).replace("_", "-")


def env_name(model: type[BaseSettings], field: str) -> str:
    """The environment variable of a field, such as `TOGETHER_OPERATOR_POLL_INTERVAL`."""
    return model.model_config.get("env_prefix", "") + (flags(model)[field].name or field).upper()


def rows(model: type[BaseSettings]) -> list[Row]:
    """The documentation of every flag."""
    found = []
    for field, flag in flags(model).items():
        name = flag_name(model, field)
        usage = f"{name} {flag.metavar}" if flag.metavar else f"{name} / --no-{name[2:]}"
        default = flag.default or _plain(model.model_fields[field].default)
        found.append(Row(usage, env_name(model, field), default, flag.meaning))
    return found


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _problem(model: type[BaseSettings], detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    message = message.replace("String should", "must", 1)
    place = next((str(part) for part in detail["loc"]), "")
    fields = {env_name(model, field).lower(): field for field in flags(model)}
    field = fields.get(place.lower(), place)
    if field not in flags(model):
        return message
    given = detail.get("input")
    if detail["type"] != "value_error" and isinstance(given, str | int | float):
        message = f"{message}, not {given!r}"
    return f"{flag_name(model, field)} ({env_name(model, field)}): {message}"
