"""The kinds of value a setting can have: how each is read from text, and what is refused.

They stand apart from the list of the settings so that a new setting is a name, a meaning and a
kind, and so that one kind of value is refused in the same words wherever it occurs.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, SecretStr
from pydantic_settings import NoDecode

from together_operator.resource.spec import Api

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class Probe(StrEnum):
    """How the operator finds out that an endpoint answers."""

    REQUEST = "Request"
    STATE = "State"


class OrphanPolicy(StrEnum):
    """What is done about an endpoint of ours whose resource is gone."""

    REPORT = "Report"
    STOP = "Stop"


def _split(value: Any) -> Any:
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(str(item).strip() for item in value if str(item).strip()))
    return value


def _trimmed(value: Any) -> Any:
    return value.strip() or None if isinstance(value, str) else value


def _namespace(name: str) -> str:
    if not _NAMESPACE.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a namespace: lower-case letters, digits and '-', at most 63"
        )
    return name


def _namespaces(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_namespace, names))


def _readable(path: Path) -> Path:
    try:
        with path.expanduser().open("rb") as file:
            if not file.read(1):
                raise ValueError(f"the file {path} is empty")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    return path.expanduser()


def _usable_url(url: str) -> str:
    url = url.strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https URL, such as https://api.together.ai/v1")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user, query or fragment; the key is set elsewhere")
    if not parts.path.endswith("/v1"):
        raise ValueError("must end with /v1, such as https://api.together.ai/v1")
    return url


def _one_api(api: Api) -> Api:
    if api is Api.AUTO:
        raise ValueError("must be V1 or V2")
    return api


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several words: a repeated flag, or a variable with commas."""
Namespace = Annotated[str, AfterValidator(_namespace)]
Namespaces = Annotated[Words, AfterValidator(_namespaces)]
Seconds = Annotated[FiniteFloat, Field(ge=0.05)]
Port = Annotated[int, Field(ge=0, le=65535)]
ReadableFile = Annotated[Path, AfterValidator(_readable)]
"""A file that can be read now and is not empty."""
BaseUrl = Annotated[str, AfterValidator(_usable_url)]
"""Together's root with `/v1`."""
FirstApi = Annotated[Api, AfterValidator(_one_api)]
"""A generation of Together's API."""
ApiKey = Annotated[SecretStr, BeforeValidator(_trimmed)]
"""A Together API key, without what an editor or a shell leaves around it."""
