"""The waits: what they add up to, and how far they can be scaled."""

from __future__ import annotations

import pytest

from together_operator.core.timing import Timing


def test_the_settle_time_is_the_sum_of_all_that_can_be_late() -> None:
    timing = Timing()
    assert (timing.fence, timing.post_timeout, timing.late, timing.lag) == (5, 60, 120, 60)
    assert timing.settle == 245


def test_one_scale_divides_every_wait_but_the_drift_interval() -> None:
    scaled = Timing.scaled(20, drift=1800)
    base = Timing()
    for name in ("post_timeout", "late", "lag", "scan_gap", "grace", "probe", "repeat", "queue"):
        assert getattr(scaled, name) == getattr(base, name) / 20, name
    assert scaled.retry == (base.retry[0] / 20, base.retry[1] / 20)
    assert scaled.drift == 1800


@pytest.mark.parametrize(("scale", "fence"), [(1, 5), (2, 2.5), (2.5, 2), (20, 2), (1000, 2)])
def test_the_age_fence_is_never_below_two_seconds(scale: float, fence: float) -> None:
    timing = Timing.scaled(scale)
    assert timing.fence == fence
    assert timing.settle >= fence + timing.post_timeout + timing.late + timing.lag
