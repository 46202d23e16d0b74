"""The watch against a real API server: each handler fires where expected, and nothing is written.

It runs as a service account that may list and watch TogetherEndpoints and nothing else, so that an
attempt to write would fail loudly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.resources import PROJECT, Resources, manifest
from tests.support.cluster import Run
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_operator import handlers
from together_operator.controller.queue import Key
from together_operator.controller.watcher import Watcher
from together_operator.resource.names import (
    CLAIM,
    GROUP,
    PLURAL,
    RECONCILE_REQUESTED_AT,
    RELEASE,
    RESTART_REQUESTED_AT,
    RESTORED_COPY,
)

DEADLINE = 60.0


class Seen:
    """Stands for the controller: remembers what it was told, in its own loop."""

    def __init__(self) -> None:
        self.triggers: list[tuple[Key, str]] = []
        self.timers = 0
        self.restarts = 0
        self.loop = asyncio.get_running_loop()

    def enqueue(self, key: Key, trigger: str) -> None:
        assert asyncio.get_running_loop() is self.loop
        self.triggers.append((key, trigger))

    def start_timer(self) -> None:
        self.timers += 1

    def restarted(self) -> None:
        self.restarts += 1

    def take(self, key: Key) -> list[str]:
        """The triggers for a key since the last call."""
        taken = [str(trigger) for seen, trigger in self.triggers if seen == key]
        self.triggers = [entry for entry in self.triggers if entry[0] != key]
        return taken

    async def expect(self, key: Key, *triggers: str) -> None:
        """Wait for exactly these triggers of a key."""
        await until(lambda: len([1 for seen, _ in self.triggers if seen == key]) >= len(triggers))
        assert self.take(key) == list(triggers)


async def until(condition: Callable[[], bool], deadline: float = DEADLINE) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(deadline):
        while not condition():  # noqa: ASYNC110 - what happens in another thread has no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def watching(
    kubeconfig: Path, *namespaces: str, wait: bool = True
) -> AsyncIterator[tuple[Seen, Watcher]]:
    seen = Seen()
    watcher = Watcher(
        handlers.watch,
        seen,
        kubeconfig=kubeconfig,
        namespaces=namespaces,
        on_restart=seen.restarted,
    )
    watcher.start()
    try:
        if wait:
            await until(lambda: watcher.watching)
        yield seen, watcher
    finally:
        assert await watcher.stop(), "the watch did not end in time"
        assert not watcher.watching


@pytest.fixture
def watch_only(
    control_plane: Cluster, kubectl: Run, namespace: str, crd: str, tmp_path: Path
) -> Path:
    """A kubeconfig that may list and watch TogetherEndpoints, and nothing else."""
    resource = f"{PLURAL}.{GROUP}"
    kubectl("create", "serviceaccount", "watcher", "-n", namespace)
    kubectl("create", "clusterrole", namespace, "--verb=list,watch", f"--resource={resource}")
    kubectl(
        "create", "clusterrolebinding", namespace, f"--clusterrole={namespace}",
        f"--serviceaccount={namespace}:watcher",
    )  # fmt: skip
    return control_plane.service_account_kubeconfig(namespace, "watcher", tmp_path / "watcher")


async def act(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run kubectl without holding up the loop that the triggers arrive in."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def test_each_handler_fires_once_and_kopf_writes_nothing(
    resources: Resources, watch_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key = Key(resources.namespace, "mixtral")
    versions: list[str] = []

    async def quiet() -> None:
        """What was seen is all there is, and nobody but the test has written."""
        sentinel = f"sentinel-{len(versions)}"
        await act(resources.apply, manifest(sentinel))
        await seen.expect(Key(resources.namespace, sentinel), "create")
        assert seen.take(key) == []
        now = (await act(resources.read))["metadata"]["resourceVersion"]
        assert now == versions[-1], "somebody wrote"

    async def changed(function: Callable[..., Any], *args: Any) -> None:
        await act(function, *args)
        versions.append((await act(resources.read))["metadata"]["resourceVersion"])

    async with watching(watch_only) as (seen, _):
        assert seen.timers == 1
        await changed(resources.apply, manifest())
        await seen.expect(key, "create")
        await quiet()
        # The operator answers with a status: no new trigger.
        await changed(resources.tell, {"observedGeneration": 1, "state": "PENDING"})
        await changed(resources.tell, {"state": "STARTED"})
        await quiet()
        await changed(resources.patch, {"spec": {"autoscaling": {"maxReplicas": 2}}})
        await seen.expect(key, "update")
        await changed(resources.tell, {"observedGeneration": 2})
        await quiet()
        await changed(resources.patch, {"spec": {"state": "Stopped"}})
        await seen.expect(key, "stop")
        await quiet()
        await changed(resources.patch, {"spec": {"state": "Started"}})
        await seen.expect(key, "update")
        await changed(resources.patch, {"metadata": {"labels": {"a": "b"}}})
        await changed(resources.patch, {"metadata": {"annotations": {"a": "b"}}})
        await quiet()
        for name in (
            RECONCILE_REQUESTED_AT, RESTART_REQUESTED_AT, CLAIM, RESTORED_COPY, RELEASE
        ):  # fmt: skip
            for value in ("1", "2", None):
                await changed(resources.patch, {"metadata": {"annotations": {name: value}}})
                await seen.expect(key, "update")
        await quiet()
        finalizers = {"metadata": {"finalizers": ["example.com/hold"]}}
        await changed(resources.patch, finalizers)
        await quiet()
        await act(resources.run, "delete", "tep", "mixtral", "--wait=false")
        versions.append((await act(resources.read))["metadata"]["resourceVersion"])
        await seen.expect(key, "delete")
        await changed(resources.tell, {"state": "DELETING"})
        await quiet()
        await changed(resources.patch, {"metadata": {"annotations": {RELEASE: "unresolved"}}})
        await seen.expect(key, "delete")
        await quiet()
        await act(resources.patch, {"metadata": {"finalizers": None}})
        await seen.expect(key, "delete")
        assert seen.restarts == 0
    complaints = [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]
    assert complaints == [], "kopf tried something that it may not do"


async def test_what_is_there_at_the_start_is_resumed_or_created(
    resources: Resources, watch_only: Path
) -> None:
    resources.apply(manifest("new"))
    resources.apply(manifest("handled"))
    resources.tell({"observedGeneration": 1}, name="handled")
    resources.apply(manifest("edited"))
    resources.tell({"observedGeneration": 1}, name="edited")
    resources.patch({"spec": {"autoscaling": {"maxReplicas": 5}}}, name="edited")
    resources.apply(manifest("asked"))
    resources.tell({"observedGeneration": 1, "lastHandledRestartAt": "1"}, name="asked")
    resources.patch({"metadata": {"annotations": {RESTART_REQUESTED_AT: "2"}}}, name="asked")
    resources.apply(manifest("ending"))
    resources.patch({"metadata": {"finalizers": ["example.com/hold"]}}, name="ending")
    resources.run("delete", "tep", "ending", "--wait=false")
    before = {name: resources.read(name) for name in ("new", "handled", "edited", "asked")}
    async with watching(watch_only, resources.namespace) as (seen, _):
        await until(lambda: len(seen.triggers) >= 5)
        found = {key.name: str(trigger) for key, trigger in seen.triggers}
        # An edit and the first sight of it are both reported.
        assert len(seen.triggers) <= 7
    assert found["new"] == "create"
    assert found["handled"] == "resume"
    assert found["edited"] in ("update", "resume")
    assert found["asked"] in ("update", "resume")
    assert found["ending"] == "delete"
    assert before == {name: resources.read(name) for name in before}, "somebody wrote"
    resources.patch({"metadata": {"finalizers": None}}, name="ending")


async def test_only_the_named_namespaces_are_watched(
    resources: Resources, watch_only: Path, kubectl: Run
) -> None:
    kubectl("create", "namespace", f"{resources.namespace}-b")
    second = Resources(kubectl, f"{resources.namespace}-b")
    try:
        async with watching(watch_only, resources.namespace, second.namespace) as (seen, _):
            await act(second.apply, manifest("in-b"))
            await act(resources.apply, manifest("in-a"))
            await seen.expect(Key(second.namespace, "in-b"), "create")
            await seen.expect(Key(resources.namespace, "in-a"), "create")
        async with watching(watch_only, second.namespace) as (seen, _):
            await act(resources.apply, manifest("unseen"))
            await act(second.apply, manifest("seen"))
            await seen.expect(Key(second.namespace, "seen"), "create")
            assert not [key for key, _ in seen.triggers if key.namespace == resources.namespace]
    finally:
        kubectl("delete", "namespace", second.namespace, "--wait=false")


async def test_a_refused_permission_is_said_and_tried_again(
    control_plane: Cluster,
    kubectl: Run,
    namespace: str,
    crd: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(handlers, "REQUEST_PAUSES", (0.1,))
    kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    path = control_plane.service_account_kubeconfig(namespace, "nobody", tmp_path / "nobody")
    async with watching(path, wait=False) as (seen, watcher):
        await until(lambda: seen.restarts >= 2)
        assert not watcher.watching
        assert watcher.silent_for < 30
        told = "\n".join(record.getMessage() for record in caplog.records)
        assert f'cannot list resource "{PLURAL}"' in told
        kubectl(
            "create", "clusterrolebinding", namespace, "--clusterrole=cluster-admin",
            f"--serviceaccount={namespace}:nobody",
        )  # fmt: skip
        await until(lambda: watcher.watching)
        assert seen.timers == 1, "the timer starts once"
    kubectl("delete", "clusterrolebinding", namespace)


async def test_the_watch_outlives_the_api_server_and_the_crd(
    private_control_plane: ControlPlane,
) -> None:
    plane = private_control_plane
    crds = str(PROJECT / "crds")

    async with watching(plane.kubeconfig, wait=False) as (seen, watcher):
        # Without the CRD it waits, and lives.
        await until(lambda: watcher.silent_for < 1.0)
        assert not watcher.watching
        assert seen.timers == 0
        await act(plane.kubectl, "apply", "--server-side", "-k", crds)
        await until(lambda: watcher.watching)
        resources = Resources(plane.kubectl, "default")
        key = Key("default", "mixtral")
        await act(resources.apply, manifest())
        await seen.expect(key, "create")

        await act(plane.apiserver.stop)
        await until(lambda: not watcher.watching)
        await act(plane.apiserver.start)
        await until(lambda: watcher.watching)
        await act(resources.patch, {"spec": {"autoscaling": {"maxReplicas": 2}}})
        await until(lambda: "update" in [trigger for _, trigger in seen.triggers])
        seen.take(key)

        await act(plane.kubectl, "delete", "-k", crds)
        await until(lambda: not watcher.watching)
        await until(lambda: seen.restarts > 0)
        await act(plane.kubectl, "apply", "--server-side", "-k", crds)
        await until(lambda: watcher.watching)
        await act(resources.apply, manifest("again"))
        await seen.expect(Key("default", "again"), "create")
        assert seen.timers == 1


async def test_a_watch_that_waits_for_its_cluster_ends_at_once(
    private_control_plane: ControlPlane,
) -> None:
    plane = private_control_plane
    await act(plane.apiserver.stop)
    async with watching(plane.kubeconfig, wait=False) as (_, watcher):
        await until(lambda: watcher.silent_for < 1.0)
