"""The same hardware under the names of both generations.

By table and not by rule: the generations disagree on more than punctuation (the H200 has 140 GB in
v1 and 141 GB in v2).
"""

from __future__ import annotations

import re
from typing import Final

_V1_BY_V2: Final = {
    "nvidia-h100-80gb": "nvidia_h100_80gb_sxm",
    "nvidia-h200-141gb": "nvidia_h200_140gb_sxm",
    "nvidia-b200-180gb": "nvidia_b200_180gb_sxm",
}
_V2_BY_V1: Final = {v1: v2 for v2, v1 in _V1_BY_V2.items()}


def v1_hardware(hardware: str) -> str:
    """Spell a hardware id as API v1 does.

    Args:
        hardware: In the spelling of v1 (`2x_nvidia_h100_80gb_sxm`) or v2 (`2xnvidia-h100-80gb`).

    Returns:
        The v1 id; what the table does not know is returned as it is, for Together to judge.
    """
    match = re.fullmatch(r"(\d+)x([a-z0-9-]+)", hardware)
    known = _V1_BY_V2.get(match[2]) if match else None
    return f"{match[1]}x_{known}" if match and known else hardware


def v2_hardware(hardware: str) -> str:
    """Spell a hardware id as API v2 does.

    Args:
        hardware: In the spelling of v1 (`2x_nvidia_h100_80gb_sxm`) or v2 (`2xnvidia-h100-80gb`).

    Returns:
        The v2 name; what the table does not know is returned as it is.
    """
    match = re.fullmatch(r"(\d+)x_([a-z0-9_]+)", hardware)
    known = _V2_BY_V1.get(match[2]) if match else None
    return f"{match[1]}x{known}" if match and known else hardware
