"""What can stand in the path of a call.

Ids come from statuses that a person may have written, and from Together. One that cannot be an id
is absent without asking; it must never lead to another route.
"""

from __future__ import annotations

import re
from typing import Final

from together_operator.together.results import Absent

_ID: Final = re.compile(r"[A-Za-z0-9_.:~-]*[A-Za-z0-9_-][A-Za-z0-9_.:~-]*")
NO_SUCH_ID: Final = Absent("no endpoint can have this id")


def are_ids(*texts: str) -> bool:
    """Tell whether all of these can be ids.

    Args:
        texts: What may be one.
    """
    return all(_ID.fullmatch(text) for text in texts)
