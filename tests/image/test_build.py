"""The image itself, built by buildah and looked at from inside."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.image.buildah import Buildah
from tests.image.inspection import SCRIPT, check
from tests.image.wheels import ROOT, ensure_wheels
from together_operator import __version__

IMAGE = "localhost/together-operator"
BASE = "localhost/python"


@pytest.fixture(scope="module")
def store(
    buildah_command: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Buildah, str]]:
    """A store with the built image, and a container of it."""
    assert buildah_command
    buildah = Buildah(tmp_path_factory.mktemp("images"))
    try:
        buildah.make_base(BASE)
        buildah.build(ROOT, IMAGE, BASE, ensure_wheels())
        yield buildah, buildah.run("from", "--pull-never", IMAGE).stdout.strip()
    finally:
        buildah.close()


def test_how_it_starts(store: tuple[Buildah, str]) -> None:
    buildah, _container = store
    described = json.loads(buildah.run("inspect", "--type", "image", IMAGE).stdout)
    config = described["OCIv1"]["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["together-operator"]
    assert config["Cmd"] == ["run"]
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9090/tcp"}
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert "HOME=/tmp" in config["Env"]


def test_what_is_in_it(store: tuple[Buildah, str]) -> None:
    buildah, container = store
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = f"/opt/together-operator/lib/{python}/site-packages"
    said = buildah.run("run", container, "--", "python", "-c", SCRIPT, site, "/").stdout
    found = json.loads(said)
    check(found, __version__)
    assert (found["uid"], found["gid"], found["home"]) == (65532, 65532, "/tmp")  # noqa: S108
    assert found["writable"] == ["/tmp"]  # noqa: S108


def test_the_command_runs(store: tuple[Buildah, str]) -> None:
    buildah, container = store
    assert __version__ in buildah.run("run", container, "--", "together-operator", "version").stdout


def test_help(store: tuple[Buildah, str]) -> None:
    buildah, container = store
    said = buildah.run("run", container, "--", "together-operator", "--help").stdout
    assert "run" in said


def test_it_says_what_is_missing(store: tuple[Buildah, str]) -> None:
    """Without a cluster, and without what is for one machine only."""
    buildah, container = store
    run = buildah.run("run", container, "--", "together-operator", "run", check=False)
    assert run.returncode != 0
    assert "Set --kubeconfig to a kubeconfig file, or run in a pod" in run.stderr
    simulate = buildah.run("run", container, "--", "together-operator", "simulate", check=False)
    assert simulate.returncode != 0
    assert "needs the extra [local]" in simulate.stderr
