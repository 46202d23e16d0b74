"""How commands print what others wrote: whole, plain, and without keys."""

from __future__ import annotations

import pytest

from together_operator.commands.output import PRICE, dollars, show
from together_operator.logs import REDACTED, register_secret


def test_into_a_pipe_each_row_is_one_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    long = "endpoint-" + "x" * 300
    show(("ID", PRICE), [(long, "10.80"), ("e2", "5.00")])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", PRICE]
    assert first.split() == [long, "10.80"]
    assert second.split() == ["e2", "5.00"]
    assert not head.endswith(" ")


def test_a_name_is_shown_as_it_is_and_commands_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(("NAME",), [("[bold]mine[/]",), ("\x1b[31mred\x07\nnext",)])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first == "[bold]mine[/]"
    assert second == "�[31mred��next"


def test_a_name_that_holds_a_key_does_not_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    register_secret("a-key-that-is-not-one")
    show(("NAME",), [("a-key-that-is-not-one",)])
    assert REDACTED in capsys.readouterr().out


def test_an_amount_that_is_not_known_is_a_question() -> None:
    assert dollars(None) == "?"
