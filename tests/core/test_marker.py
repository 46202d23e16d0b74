"""The mark of ownership: never cut, always found, never mistaken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from together_operator.core.marker import NAME_LIMIT, Marker, cluster_tag, owner_tag

NONCES = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=4, max_size=4)
MARKER = Marker.of("a-cluster", "a-uid", "ab27")


@given(human=st.text(max_size=200), cluster=st.text(), uid=st.text(), nonce=NONCES)
def test_a_written_marker_is_read_again(human: str, cluster: str, uid: str, nonce: str) -> None:
    marker = Marker.of(cluster, uid, nonce)
    name = marker.write(human)
    assert len(name) <= NAME_LIMIT
    assert Marker.parse(name) == marker


@pytest.mark.parametrize(
    ("human", "shown"),
    [
        ("mixtral", "mixtral"),
        ("ml/mixtral", "ml/mixtral"),
        ("x" * 34, "x" * 34),
        ("x" * 35, "x" * 34),
        ("x" * 33 + " y", "x" * 33),
        ("größte Ähre 大きい", "größte Ähre 大きい"),
        ("😀" * 40, "😀" * 34),
    ],
)
def test_the_human_part_is_cut_and_never_the_marker(human: str, shown: str) -> None:
    name = MARKER.write(human)
    assert name == f"{shown} tep-{MARKER.cluster}-{MARKER.owner}-ab27"
    assert len(name) <= 63


def test_a_rename_keeps_the_mark() -> None:
    assert Marker.parse(MARKER.write("before")) == Marker.parse(MARKER.write("after"))


def test_cluster_owner_and_nonce_are_told_apart() -> None:
    others = (
        Marker.of("b-cluster", "a-uid", "ab27"),
        Marker.of("a-cluster", "b-uid", "ab27"),
        Marker.of("a-cluster", "a-uid", "ab26"),
    )
    assert all(Marker.parse(other.write("mixtral")) != MARKER for other in others)
    assert (len(MARKER.cluster), len(MARKER.owner)) == (6, 12)
    assert (cluster_tag("a-cluster"), owner_tag("a-uid")) == (MARKER.cluster, MARKER.owner)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "mixtral",
        "mixtral tep-aaaaaa-bbbbbbbbbbbb",
        "mixtral tep-aaaaaa-bbbbbbbbbbbb-cccc and more",
        "mixtral tep-AAAAAA-bbbbbbbbbbbb-cccc",
        "mixtral tep-aaaaa1-bbbbbbbbbbbb-cccc",
        "mixtraltep-aaaaaa-bbbbbbbbbbbb-cccc",
    ],
)
def test_what_only_resembles_a_mark_is_none(name: str) -> None:
    assert Marker.parse(name) is None


def test_only_the_last_of_two_marks_counts() -> None:
    nested = MARKER.write("x tep-aaaaaa-bbbbbbbbbbbb-cccc"[:34])
    assert Marker.parse(nested) == MARKER
