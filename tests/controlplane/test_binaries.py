"""Binaries are found, or built once: by a real compiler, of a module small enough to wait for."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from tests.controlplane.machine import Background, eventually, nothing_left
from together_local.cluster.binaries import Binaries, BinaryCache, cache_root
from together_local.cluster.errors import BuildError, PrerequisiteError
from together_local.cluster.progress import ConsoleProgress
from together_local.cluster.recipes import RECIPES, Recipe

_GO_MOD = """module test/hello

go 1.21

require example.com/hello v1.2.3

replace example.com/hello => ./hello
"""
_MAIN = """package main

import "fmt"

var version string

func main() { fmt.Println("hello", version) }
"""
_BUILD = """
import sys
from pathlib import Path
from tests.controlplane.test_binaries import recipe_in
from together_local.cluster.binaries import BinaryCache
from together_local.cluster.progress import ConsoleProgress
module, cache = map(Path, sys.argv[1:])
print(BinaryCache(cache, {"hello": recipe_in(module)}).ensure(["hello"], ConsoleProgress()))
"""


def recipe_in(module: Path) -> Recipe:
    """The recipe of the small module."""
    return Recipe(
        "hello",
        module,
        "example.com/hello",
        "example.com/hello",
        lambda version: {"main.version": version},
        data={"kept": "manifests"},
        links=("hello-alias",),
    )


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    (folder / "hello/manifests/deep").mkdir(parents=True)
    (folder / "go.mod").write_text(_GO_MOD)
    (folder / "go.sum").write_text("")
    (folder / "hello/go.mod").write_text("module example.com/hello\n\ngo 1.21\n")
    (folder / "hello/main.go").write_text(_MAIN)
    (folder / "hello/manifests/deep/one.yaml").write_text("a: b\n")
    return folder


@pytest.fixture
def cache(tmp_path: Path, module: Path) -> BinaryCache:
    return BinaryCache(tmp_path / "cache", {"hello": recipe_in(module)})


def _shown(cache: BinaryCache) -> str:
    output = io.StringIO()
    cache.ensure(["hello"], ConsoleProgress(output))
    return output.getvalue()


def _command(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_built_once_with_its_version_its_data_and_its_links(cache: BinaryCache) -> None:
    first = _shown(cache)
    assert "Building hello v1.2.3 (1 of 1) …" in first
    assert re.search(r"Building hello v1\.2\.3 \(1 of 1\): done in [\d.]+ s", first)
    assert _shown(cache) == ""
    binary = cache.ensure(["hello"])["hello"]
    assert binary.parent == cache.folder("hello")
    said = subprocess.run([binary], capture_output=True, text=True, check=True)
    assert said.stdout == "hello v1.2.3\n"
    assert (binary.parent / "kept/deep/one.yaml").read_text() == "a: b\n"
    assert (binary.parent / "hello-alias").resolve() == binary
    assert sorted(path.name for path in binary.parent.iterdir()) == ["hello", "hello-alias", "kept"]


@pytest.mark.parametrize("part", ["go.mod", "go.sum"])
def test_a_changed_recipe_is_built_beside_the_old_one(
    cache: BinaryCache, module: Path, part: str
) -> None:
    before = cache.ensure(["hello"])["hello"]
    with (module / part).open("a") as file:
        file.write("\n")
    after = cache.ensure(["hello"])["hello"]
    assert before.parent != after.parent
    assert before.exists()


def test_two_callers_at_once_build_once(cache: BinaryCache, module: Path, tmp_path: Path) -> None:
    argv = ["-c", _BUILD, str(module), str(cache.root)]
    with (
        Background(argv, tmp_path / "one.log") as one,
        Background(argv, tmp_path / "two.log") as two,
    ):
        assert one.popen.wait(120) == 0, one.said
        assert two.popen.wait(120) == 0, two.said
    assert (one.said + two.said).count("done in") == 1
    binary = cache.find("hello")
    assert binary is not None
    assert str(binary) in one.said
    assert str(binary) in two.said


def test_a_build_that_fails_shows_the_compiler_and_leaves_no_half(
    cache: BinaryCache, module: Path
) -> None:
    (module / "hello/main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildError, match=r"hello v1\.2\.3 could not be built[^$]*undefined: nons"):
        cache.ensure(["hello"])
    assert cache.find("hello") is None
    assert list(cache.folder("hello").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_compiler_behind(
    cache: BinaryCache, module: Path, tmp_path: Path, number: signal.Signals
) -> None:
    go = shutil.which("go")
    # The real toolchain says what it is, and then takes its time.
    _command(
        tmp_path / "path/go",
        f'[ "$1" = env ] && exec {go} "$@"\ntouch {tmp_path}/compiling\nexec sleep 600',
    )
    environment = {**os.environ, "PATH": f"{tmp_path}/path:{os.environ['PATH']}"}
    argv = ["-c", _BUILD, str(module), str(cache.root)]
    with Background(argv, tmp_path / "build.log", environment) as build:
        eventually((tmp_path / "compiling").exists, "the compiler runs")
        assert build.signal(number) != 0
        nothing_left(tmp_path)
    # The next caller is not in the way of anything left behind.
    cache.ensure(["hello"])
    assert not list(cache.folder("hello").glob(".building-*"))


def test_without_go_the_message_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    with pytest.raises(PrerequisiteError) as caught:
        BinaryCache(tmp_path / "cache").ensure(["kube-apiserver"])
    assert str(caught.value).startswith(
        "Go is needed to build kube-apiserver, and is not on PATH. Install Go 1.26.0 or newer"
    )
    assert "Or set KUBEBUILDER_ASSETS to a folder that has etcd, kube-" in str(caught.value)


def test_an_old_go_is_named_with_its_version(
    cache: BinaryCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = '{"GOVERSION": "go1.20.14", "GOCACHE": "/tmp", "GOMODCACHE": "/tmp"}'
    _command(tmp_path / "path/go", f"echo '{facts}'")
    monkeypatch.setenv("PATH", f"{tmp_path}/path:{os.environ['PATH']}")
    with pytest.raises(PrerequisiteError, match=r"Go 1\.21 or newer is needed.*is go1\.20\.14"):
        cache.ensure(["hello"])


def test_a_full_disk_is_refused_before_the_build(
    cache: BinaryCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**12, 10**12, 10**8))
    with pytest.raises(PrerequisiteError, match=r"has 0\.1 GiB free.*TOGETHER_OPERATOR_CACHE"):
        cache.ensure(["hello"])


def test_modules_that_cannot_be_fetched_are_not_blamed_on_the_code(
    cache: BinaryCache, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port on loopback at which nobody listens.
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GONOSUMDB", "*")
    (module / "go.mod").write_text(
        "module test/hello\n\ngo 1.21\n\nrequire example.com/hello v1.2.3\n"
    )
    (module / "go.sum").write_text(
        "example.com/hello v1.2.3 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        "example.com/hello v1.2.3/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )
    with pytest.raises(PrerequisiteError, match=r"could not be fetched\. Check the network"):
        cache.ensure(["hello"])


def test_the_recipes_pin_what_they_build() -> None:
    versions = {name: recipe.version for name, recipe in RECIPES.items()}
    kubernetes = {versions[name] for name in versions if name.startswith("kube")}
    assert len(kubernetes) == 1, "one release of all of Kubernetes"
    for name, recipe in RECIPES.items():
        requirement = f"{recipe.requirement} {recipe.version} h1:"
        assert requirement in (recipe.module / "go.sum").read_text(), name


def test_the_real_ones_know_their_versions(binaries: Binaries) -> None:
    said = subprocess.run(
        [binaries["kube-apiserver"], "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"Kubernetes {RECIPES['kube-apiserver'].version}\n"
    linked = binaries.bin / "kubectl"
    assert linked.resolve() == binaries["kubectl"].resolve()


def test_helm_knows_its_version(helm_binary: Path) -> None:
    said = subprocess.run(
        [helm_binary, "version", "--template", "{{.Version}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == RECIPES["helm"].version


def test_kubebuilder_assets_come_before_the_cache(
    binaries: Binaries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (assets / name).symlink_to(binaries[name])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    cache = BinaryCache()
    assert cache.find("etcd") == assets / "etcd"
    assert cache.find("kube-apiserver") == assets / "kube-apiserver"
    built = cache.find("kube-controller-manager")
    assert built is not None
    assert built.is_relative_to(cache_root()), "envtest has none, so ours is used"


@pytest.mark.parametrize(
    ("has", "message"),
    [
        (None, "has no kube-apiserver"),
        ("Kubernetes v1.30.4", r"has Kubernetes v1\.30\.4 and no kube-controller-manager"),
    ],
)
def test_kubebuilder_assets_that_do_not_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has: str | None, message: str
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    if has:
        _command(assets / "kube-apiserver", f"echo {has}")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(PrerequisiteError, match=message) as caught:
        BinaryCache().ensure(["kube-apiserver"])
    assert "setup-envtest use 1.36.x -p path" in str(caught.value)


def test_the_cache_can_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOGETHER_OPERATOR_CACHE", str(tmp_path / "elsewhere"))
    assert BinaryCache().folder("etcd").parent == tmp_path / "elsewhere"


def test_what_the_caller_works_on_does_not_change_what_is_built(
    cache: BinaryCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "go.work").write_text("go 1.21\n")
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOARCH", "386")
    binary = cache.ensure(["hello"])["hello"]
    assert subprocess.run([binary], capture_output=True, check=True).stdout == b"hello v1.2.3\n"
