"""`make check`: known vulnerabilities of what is installed, by pip-audit.

Its data are the package index's own, which not every machine reaches: behind a mirror that has the
packages and not their advisories everything would look fine. So each locked file ends in one of
three words: nothing known, these vulnerabilities (and the check fails), or not audited and why.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.venvs import ROOT, VenvError, ensure_venv

LOCKS = ("operator/locks/run.txt", "operator/locks/build.txt", "operator/locks/dev.txt")
"""What the image holds, what builds it, and what develops it."""

PROBE = "operator/locks/build.txt"
"""The shortest of them: whether there are any data is asked about few packages."""

_SECONDS = 300


class NotAudited(Exception):  # noqa: N818 (it tells what happened)
    """There are no data to judge by; the text says why."""


def audit(lock: str) -> tuple[int, list[str]]:
    """Look up every package of a lock file.

    Args:
        lock: The file, below the project's root.

    Returns:
        How many packages were looked up, and the vulnerabilities known of them.

    Raises:
        NotAudited: Of one of them nothing could be looked up.
    """
    try:
        command = ensure_venv("pip-audit").script("pip-audit")
        done = subprocess.run(
            [str(command), "--requirement", str(ROOT / lock), "--require-hashes", "--disable-pip",
             "--progress-spinner", "off", "--format", "json"],
            capture_output=True, text=True, check=False, timeout=_SECONDS,
        )  # fmt: skip
    except VenvError as error:
        raise NotAudited(str(error).splitlines()[0]) from None
    except subprocess.TimeoutExpired:
        raise NotAudited(f"no answer within {_SECONDS} s") from None
    return judged(done.stdout, done.stderr)


def judged(report: str, complaints: str) -> tuple[int, list[str]]:
    """What a report of pip-audit says.

    Args:
        report: What it printed, which should be JSON.
        complaints: What it printed beside it.

    Returns:
        How many packages were looked up, and the vulnerabilities known of them.

    Raises:
        NotAudited: Of one of them nothing could be looked up.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = complaints.strip().splitlines() or ["it said nothing"]
        raise NotAudited(lines[-1]) from None
    skipped = [package for package in packages if "skip_reason" in package]
    if skipped or not packages:
        why = skipped[0]["skip_reason"] if skipped else "no packages were looked up"
        raise NotAudited(f"{len(skipped)} of {len(packages)} packages, the first: {why}")
    return len(packages), [
        f"{package['name']} {package['version']}: {known['id']}, fixed in"
        f" {', '.join(known['fix_versions']) or 'no release yet'}"
        for package in packages
        for known in package["vulns"]
    ]


def main() -> int:
    """Audit every lock file; the exit code of `make check`."""
    found: list[str] = []
    for lock in (PROBE, *(other for other in LOCKS if other != PROBE)):
        try:
            count, known = audit(lock)
        except NotAudited as why:
            print(f"NOT AUDITED for known vulnerabilities: {', '.join(LOCKS)}: {why}")
            print(
                "  pip's index here has no advisories; where it is the public one, they are read."
            )
            break
        found += [f"{Path(lock).name}: {line}" for line in known]
        print(f"{lock}: {count} packages audited, {len(known)} known vulnerabilities")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
