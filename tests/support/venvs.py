"""Virtual environments for clients that must not share ours.

Why: the official ``together`` client exists in incompatible generations, and its
pins would fight with the operator's. Each generation is installed from its own
hashed lock file, once per content of that file, and kept between test runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "tests" / "locks"
CACHE = ROOT / ".cache" / "venvs"

_READY = ".ready"


class VenvError(RuntimeError):
    """A client's environment could not be made; the message says what failed."""


@dataclass(frozen=True)
class Venv:
    """An installed environment.

    Attributes:
        name: The lock file's name without its suffix, such as ``together-v1``.
        path: The environment's folder.
    """

    name: str
    path: Path

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.path / "bin" / "python"

    def script(self, name: str) -> Path:
        """Return the path of a console script that the environment installed.

        Args:
            name: The script's name, such as ``together``.

        Raises:
            VenvError: The environment has no such script.
        """
        path = self.path / "bin" / name
        if not path.exists():
            raise VenvError(f"{self.name} installs no command {name!r} ({path} is missing)")
        return path


def ensure_venv(name: str) -> Venv:
    """Return the environment of ``tests/locks/<name>.txt``, installing it at need.

    The folder's name carries a hash of the lock file, so a renewed lock makes a
    new environment and older ones of the same name are removed. Safe to call from
    several test processes at once.

    Args:
        name: The lock file's name without its suffix.

    Raises:
        VenvError: There is no such lock, or pip refused it.
    """
    lock = LOCKS / f"{name}.txt"
    if not lock.is_file():
        raise VenvError(f"there is no lock file {lock}; `make lock` writes it")
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}"
    with _exclusive(CACHE / f"{name}.lock"):
        if not (path / _READY).exists():
            _install(name, lock, path)
            for stale in CACHE.glob(f"{name}-*"):
                # Names may be prefixes of one another: only a bare hash follows ours.
                if stale != path and len(stale.name) == len(path.name):
                    shutil.rmtree(stale, ignore_errors=True)
    return Venv(name, path)


def _install(name: str, lock: Path, path: Path) -> None:
    _tell(f"==> Installing {name} from tests/locks/{lock.name} (a minute or two, once)")
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    _run(name, [sys.executable, "-m", "venv", str(path)])
    pip = [str(path / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    _run(name, [*pip, "--quiet", "--require-hashes", "-r", str(lock)])
    (path / _READY).touch()
    _tell(f"==> {name} is ready in {path.relative_to(ROOT)}")


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise VenvError(f"cannot install {name}: {' '.join(command)}\n{tail}")


def _tell(message: str) -> None:
    # The real stderr: pytest captures sys.stderr, and a silent two minutes look like a hang.
    stream = sys.__stderr__
    if stream is not None:
        print(message, file=stream, flush=True)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
