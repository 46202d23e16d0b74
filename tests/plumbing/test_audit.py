"""The audit of dependencies: found, not found, and not looked for are three different things."""

from __future__ import annotations

import json

import pytest

from tests import audit
from tests.audit import NotAudited, judged

GOOD = {"name": "kopf", "version": "1.45.2", "vulns": []}
BAD = {
    "name": "httpx",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
UNKNOWN = {"name": "yarl", "skip_reason": "not found"}


def report(*packages: object) -> str:
    return json.dumps({"dependencies": packages})


def test_vulnerabilities_are_told_with_what_fixes_them() -> None:
    assert judged(report(GOOD), "") == (1, [])
    count, found = judged(report(GOOD, BAD), "")
    assert count == 2
    assert found == [
        "httpx 0.1: PYSEC-1, fixed in 0.2",
        "httpx 0.1: PYSEC-2, fixed in no release yet",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (report(GOOD, UNKNOWN), "1 of 2 packages"),
        (report(), "no packages"),
        ("", "ConnectionError: refused"),
        ("[]", "ConnectionError: refused"),
    ],
)
def test_what_was_not_looked_up_is_not_called_good(said: str, why: str) -> None:
    with pytest.raises(NotAudited, match=why):
        judged(said, "Traceback\nConnectionError: refused")


def test_make_check_fails_for_what_is_known_and_says_what_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "audit", lambda lock: judged(report(GOOD, BAD), ""))
    assert audit.main() == 1
    assert "run.txt: httpx 0.1: PYSEC-1" in capsys.readouterr().err
    monkeypatch.setattr(audit, "audit", lambda lock: judged(report(GOOD), ""))
    assert audit.main() == 0
    assert "NOT AUDITED" not in capsys.readouterr().out
    monkeypatch.setattr(audit, "audit", lambda lock: judged(report(UNKNOWN), ""))
    assert audit.main() == 0
    assert capsys.readouterr().out.startswith("NOT AUDITED")
