"""An image built for real, without a daemon, a registry or a network.

buildah with chroot isolation runs every line of the Dockerfile in a root file system of its own.
The base image cannot be pulled where tests run, so one is made of this machine's own Python: its
binary, its standard library and the shared libraries they need, laid out as in the official image.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

_COMMANDS = ("sh", "env")
# What wheels for Linux may rely on although the interpreter does not: manylinux names them.
_LIBRARIES = (
    *("libgcc_s.so.1", "libstdc++.so.6", "libm.so.6"),
    *("libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
)
_LEFT_OUT = ("test", "tests", "site-packages", "__pycache__", "idlelib", "tkinter", "config-*")


def find_buildah() -> str | None:
    """The buildah command, if this machine has one."""
    return shutil.which("buildah")


class Buildah:
    """A private image store.

    Args:
        folder: Where it is kept; `close` empties it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run buildah on this store.

        Args:
            args: Its arguments.
            check: Whether a non-zero exit fails the test.
        """
        done = subprocess.run(
            [
                *("buildah", "--root", str(self._folder / "root")),
                # Nothing else works everywhere, such as inside a container.
                *("--runroot", str(self._folder / "run"), "--storage-driver", "vfs", *args),
            ],
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if check:
            assert done.returncode == 0, f"buildah {' '.join(args)}\n{done.stdout}{done.stderr}"
        return done

    def make_base(self, image: str) -> None:
        """Make the base image.

        Args:
            image: What to call it.
        """
        rootfs = self._folder / "rootfs"
        _own_python(rootfs)
        container = self.run("from", "scratch").stdout.strip()
        self.run("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        self.run("add", "--quiet", container, str(rootfs), "/")
        self.run("commit", "--quiet", "--rm", container, image)
        shutil.rmtree(rootfs)

    def build(self, context: Path, image: str, base: str, wheels: Path) -> str:
        """Build a Dockerfile and return what was said.

        Args:
            context: The folder of the Dockerfile.
            image: What to call the image.
            base: The value of its argument BASE.
            wheels: The packages that pip is to find, and no others.
        """
        config = self._folder / "pip.conf"
        config.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        done = self.run(
            *("build", "--pull-never", "--layers=false", "--build-arg", f"BASE={base}"),
            *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{config}:/etc/pip.conf:ro"),
            *("--tag", image, str(context)),
        )
        return done.stdout + done.stderr

    def close(self) -> None:
        """Remove all containers and images; it is too much to leave in a temporary folder."""
        self.run("rm", "--all", check=False)
        self.run("rmi", "--all", "--force", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def _own_python(root: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    binary = (Path(sys.base_prefix) / "bin" / version).resolve()
    for name in ("etc", "proc", "sys", "dev", "run", "tmp", "usr/bin", "usr/local/bin"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "bin").symlink_to("usr/bin")

    library = root / "usr/local/lib" / version
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=ignore)
    (library / "site-packages").mkdir()
    shutil.copy2(binary, root / "usr/local/bin" / version)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to(version)

    programs = [binary, *(library / "lib-dynload").glob("*.so")]
    for name in _COMMANDS:
        found = shutil.which(name)
        assert found is not None
        shutil.copy2(Path(found).resolve(), root / "usr/bin" / name)
        programs.append(Path(found))
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    extra = [line.split(" => ")[1] for line in known.stdout.splitlines() if _wanted(line)]
    for path in {*extra, *_shared_libraries([*map(str, programs), *extra])}:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def _wanted(line: str) -> bool:
    return line.split()[0] in _LIBRARIES


def _shared_libraries(programs: list[str]) -> set[str]:
    found = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True)
    return set(re.findall(r"(?:=> |^\t)(/\S+) \(", found.stdout, re.MULTILINE))
