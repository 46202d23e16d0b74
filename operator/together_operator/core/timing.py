"""The waits of the create protocol, in one value.

Every guarantee about duplicates and leaks is a statement about these numbers, so they are scaled
together (tests and demos run the same protocol faster) and none is scaled below its floor.
"""

from __future__ import annotations

from dataclasses import dataclass

_FENCE_FLOOR = 2.0


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds of a monotonic clock.

    Attributes:
        fence: A: at most this long between the record and its POST.
        post_timeout: T: after this a POST has no answer.
        late: L: the latest effect of a request after its error.
        lag: G: how long a living endpoint may be missing from a LIST.
        scan_gap: The least distance of two scans that prove absence.
        grace: How long a missing or refused key may be somebody's work in progress.
        drift: How often name and bounds are read again.
        probe: Pause between probes of an endpoint that does not answer yet.
        repeat: Pause before a remote write whose effect is not seen is sent again.
        replacement: How long a deployment may take to be ready that is to take another's place.
        replacement_told: The same by Together's clock, which no scale divides.
        queue: How long an endpoint may be pending before that is called a lack of capacity.
        retry: First and longest pause after a refusal that may pass by itself.
    """

    fence: float = 5.0
    post_timeout: float = 60.0
    late: float = 120.0
    lag: float = 60.0
    scan_gap: float = 5.0
    grace: float = 900.0
    drift: float = 3600.0
    probe: float = 10.0
    repeat: float = 60.0
    replacement: float = 3600.0
    replacement_told: float = 3600.0
    queue: float = 120.0
    retry: tuple[float, float] = (5.0, 600.0)

    @property
    def settle(self) -> float:
        """W: after this, and not before, silence means that nothing was made."""
        return self.fence + self.post_timeout + self.late + self.lag

    @classmethod
    def scaled(cls, scale: float, drift: float = 3600.0) -> Timing:
        """Divide every wait but the drift interval.

        Args:
            scale: The divisor, at least 1.
            drift: Seconds between two readings of name and bounds, taken as they are.
        """
        base = cls()
        return cls(
            fence=max(_FENCE_FLOOR, base.fence / scale),
            post_timeout=base.post_timeout / scale,
            late=base.late / scale,
            lag=base.lag / scale,
            scan_gap=base.scan_gap / scale,
            grace=base.grace / scale,
            drift=drift,
            probe=base.probe / scale,
            repeat=base.repeat / scale,
            replacement=base.replacement / scale,
            queue=base.queue / scale,
            retry=(base.retry[0] / scale, base.retry[1] / scale),
        )
