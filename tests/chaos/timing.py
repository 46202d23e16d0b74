"""The bounds of the protocol as a campaign plays it, in seconds of a clock on the wall."""

from __future__ import annotations

from typing import Final

from tests.support.operator import SCALE
from together_operator.core.timing import Timing
from together_operator.together import Timeouts

TIMING: Final = Timing.scaled(SCALE)
"""The operator's own waits at the scale of the tests."""

POLL: Final = 1.0
"""P: seconds between two LISTs at rest, as the operator under test is told."""

ATTEMPTS: Final = 3
"""Attempts without a clear answer, after which a person is asked."""

BACK_OFF: Final = 60.0
"""What back-off may add: that of the queue, of the poller, and of orders that are refused."""

DEADLINE: Final = ATTEMPTS * (TIMING.settle + 2 * POLL) + BACK_OFF
"""G4: within this after the last fault everything agrees."""

NAMESPACE: Final = 150.0
"""What Kubernetes may add to that of a namespace: whatever fails there is tried again after five
seconds, ten, twenty and so on, up to a minute."""

BEYOND: Final = TIMING.lag + POLL + 30.0 / SCALE
"""How long an effect later than L may make a second endpoint live."""

SWEEP: Final = 600.0 / SCALE + 20.0
"""Seconds until a key copy is swept whose deletion was cut short: a resync, and some patience."""

LATENESS: Final = max(TIMING.post_timeout, Timeouts().change) + TIMING.late
"""T and L: a request may take effect for so long after it was decided on."""
