"""The locked packages as files, fetched once, so that builds in tests need no network."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = (ROOT / "operator/locks/build.txt", ROOT / "operator/locks/run.txt")
_CACHE = ROOT / ".cache" / "wheels"


def ensure_wheels() -> Path:
    """Return a folder with every file that the Dockerfile's locks name for this machine.

    pip checks the hashes here and again when it installs from the folder.

    Raises:
        subprocess.CalledProcessError: pip could not fetch them.
    """
    content = b"".join(lock.read_bytes() for lock in LOCKS)
    digest = hashlib.sha256(content + sys.version.encode()).hexdigest()[:12]
    folder = _CACHE / digest
    if not (folder / ".ready").exists():
        shutil.rmtree(_CACHE, ignore_errors=True)
        folder.mkdir(parents=True)
        requirements = [argument for lock in LOCKS for argument in ("-r", str(lock))]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet"),
                *("--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"),
                *(*requirements, "--dest", str(folder)),
            ],
            check=True,
        )
        (folder / ".ready").touch()
    return folder
