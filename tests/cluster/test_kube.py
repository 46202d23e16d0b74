"""The operator's own calls, against a real API server."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.resources import PROJECT, Resources, manifest
from tests.support.cluster import Run
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_operator.controller import kube as module
from together_operator.controller.events import Recorder
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    KubeconfigInvalid,
    KubeError,
    KubeUnavailable,
    NamespaceTerminating,
    NotFound,
    Rejected,
)
from together_operator.resource.names import FINALIZER, OWNER_UID

SECRET = "not-a-real-key-but-secret"


@pytest.fixture
async def kube(control_plane: Cluster) -> AsyncIterator[Kube]:
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        yield kube


@pytest.fixture
async def restricted(
    control_plane: Cluster, kubectl: Run, namespace: str, tmp_path: Path
) -> AsyncIterator[Kube]:
    """A connection by token of a service account that may do nothing."""
    kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    path = control_plane.service_account_kubeconfig(namespace, "nobody", tmp_path / "nobody")
    async with await Kube.connect(path) as kube:
        yield kube


async def read(kube: Kube, namespace: str, name: str = "mixtral") -> dict[str, Any]:
    found = await kube.get_endpoint(namespace, name)
    assert found is not None
    return found


def secret(namespace: str, name: str = "together") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": {"key": "copy"}},
        "data": {"api-key": base64.b64encode(SECRET.encode()).decode()},
    }


async def test_a_resource_is_read_as_it_is(kube: Kube, resources: Resources) -> None:
    assert await kube.get_endpoint(resources.namespace, "mixtral") is None
    resources.apply(manifest())
    found = await read(kube, resources.namespace)
    assert found["spec"]["model"] == manifest()["spec"]["model"]
    assert found["status"]["observedGeneration"] == -1
    del found["metadata"]["managedFields"]
    assert found == resources.read()


async def test_every_page_of_a_list_is_read(
    kube: Kube, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    names = [f"mixtral-{number}" for number in range(5)]
    for name in names:
        resources.apply(manifest(name))
    found = [item async for item in kube.list_endpoints((resources.namespace,))]
    assert sorted(item["metadata"]["name"] for item in found) == names
    assert {item["kind"] for item in found} == {"TogetherEndpoint"}
    everywhere = [item["metadata"]["name"] async for item in kube.list_endpoints()]
    assert set(names) <= set(everywhere)
    twice = (resources.namespace, "default")
    assert len([item async for item in kube.list_endpoints(twice)]) >= len(names)


async def test_metadata_changes_only_what_is_still_as_it_was_read(
    kube: Kube, resources: Resources
) -> None:
    namespace = resources.namespace
    resources.apply(manifest())
    first = await read(kube, namespace)
    version = first["metadata"]["resourceVersion"]
    second = await kube.patch_metadata(
        namespace, "mixtral", version, finalizers=[FINALIZER], annotations={OWNER_UID: "uid"}
    )
    assert second["metadata"]["finalizers"] == [FINALIZER]
    assert second["metadata"]["annotations"][OWNER_UID] == "uid"
    with pytest.raises(Conflict):
        await kube.patch_metadata(namespace, "mixtral", version, finalizers=[])
    version = second["metadata"]["resourceVersion"]
    third = await kube.patch_metadata(namespace, "mixtral", version, annotations={OWNER_UID: None})
    assert OWNER_UID not in third["metadata"].get("annotations", {})
    assert third["metadata"]["finalizers"] == [FINALIZER], "what is not named stays"
    resources.run("delete", "tep", "mixtral", "--wait=false")
    deleting = await read(kube, namespace)
    version = deleting["metadata"]["resourceVersion"]
    await kube.patch_metadata(namespace, "mixtral", version, finalizers=[])
    assert await kube.get_endpoint(namespace, "mixtral") is None
    with pytest.raises(NotFound):
        await kube.patch_metadata(namespace, "mixtral", version, finalizers=[])


async def test_status_is_written_only_over_what_was_read(kube: Kube, resources: Resources) -> None:
    resources.apply(manifest())
    read_first = await read(kube, resources.namespace)
    body = copy.deepcopy(read_first)
    body["status"] = {"observedGeneration": 1, "state": "PENDING"}
    body["spec"]["suspend"] = True
    written = await kube.replace_status(body)
    assert written["status"]["state"] == "PENDING"
    assert written["spec"] == read_first["spec"], "the spec is the person's"
    with pytest.raises(Conflict):
        await kube.replace_status(body)
    written["status"] = {"observedGeneration": "one"}
    with pytest.raises(Rejected, match="observedGeneration"):
        await kube.replace_status(written)
    resources.run("delete", "tep", "mixtral")
    with pytest.raises(NotFound):
        await kube.replace_status(body)


async def test_the_life_of_a_secret(kube: Kube, namespace: str) -> None:
    assert await kube.get_secret(namespace, "together") is None
    created = await kube.create_secret(secret(namespace))
    with pytest.raises(AlreadyExists):
        await kube.create_secret(secret(namespace))
    await kube.create_secret(secret(namespace, "other") | {})
    found = await kube.get_secret(namespace, "together")
    assert found is not None
    assert base64.b64decode(found["data"]["api-key"]).decode() == SECRET
    labelled = [item async for item in kube.list_secrets(namespace, "key=copy")]
    assert {item["metadata"]["name"] for item in labelled} == {"together", "other"}
    assert [item async for item in kube.list_secrets(namespace, "key=none")] == []
    found["metadata"]["annotations"] = {"seen": "yes"}
    await kube.replace_secret(found)
    with pytest.raises(Conflict):
        await kube.replace_secret(found)
    with pytest.raises(Conflict):
        await kube.delete_secret(namespace, "together", uid="another-object")
    assert await kube.delete_secret(namespace, "together", uid=created["metadata"]["uid"]) is True
    assert await kube.delete_secret(namespace, "together") is False
    with pytest.raises(NotFound):
        await kube.replace_secret(found)


async def test_the_life_of_a_config_map(kube: Kube, namespace: str) -> None:
    body = {"metadata": {"namespace": namespace, "name": "connection"}, "data": {"a": "1"}}
    await kube.create_configmap(body)
    with pytest.raises(AlreadyExists):
        await kube.create_configmap(body)
    found = await kube.get_configmap(namespace, "connection")
    assert found is not None
    found["data"] = {"a": "2"}
    await kube.replace_configmap(found)
    with pytest.raises(Conflict):
        await kube.replace_configmap(found)
    assert await kube.delete_configmap(namespace, "connection") is True
    assert await kube.get_configmap(namespace, "connection") is None


async def test_the_cluster_has_a_uid(kube: Kube) -> None:
    found = await kube.get_namespace("kube-system")
    assert found is not None
    assert len(found["metadata"]["uid"]) == 36
    assert await kube.get_namespace("no-such-namespace") is None


async def test_what_is_missing_is_named_when_something_is_forbidden(
    restricted: Kube, namespace: str, crd: str
) -> None:
    with pytest.raises(Forbidden) as caught:
        await restricted.get_secret(namespace, "together")
    assert caught.value.permission == f"get namespaces/{namespace}/secrets/together"
    text = str(caught.value)
    assert f'cannot get resource "secrets" in API group "" in the namespace "{namespace}"' in text
    assert f"system:serviceaccount:{namespace}:nobody" in text
    assert "Grant it in the operator's Role or ClusterRole" in text
    with pytest.raises(Forbidden, match="may not list togetherendpoints"):
        async for _ in restricted.list_endpoints():
            pass
    with pytest.raises(Forbidden, match=r"may not create namespaces/.*/secrets"):
        await restricted.create_secret(secret(namespace))
    assert await restricted.serves_endpoints() is True


async def test_nothing_of_a_secret_is_in_an_error(kube: Kube, namespace: str) -> None:
    body = secret(namespace) | {"data": {"api key": secret(namespace)["data"]["api-key"]}}
    with pytest.raises(Rejected) as caught:
        await kube.create_secret(body)
    shown = f"{caught.value!r} {caught.value.__cause__!r} {vars(caught.value)}"
    assert SECRET not in shown
    assert body["data"]["api key"] not in shown
    with pytest.raises(KubeError) as caught_again:
        await kube.create_secret(body | {"data": {"a": SECRET}})
    assert SECRET not in str(caught_again.value)


async def test_a_namespace_that_ends_takes_nothing_new(kube: Kube, kubectl: Run) -> None:
    kubectl("create", "namespace", "ending")
    body = {
        "metadata": {"namespace": "ending", "name": "holder", "finalizers": ["example.com/hold"]}
    }
    await kube.create_configmap(body)
    try:
        kubectl("delete", "namespace", "ending", "--wait=false")
        with pytest.raises(NamespaceTerminating):
            await kube.create_configmap({"metadata": {"namespace": "ending", "name": "new"}})
    finally:
        held = await kube.get_configmap("ending", "holder")
        assert held is not None
        held["metadata"]["finalizers"] = []
        await kube.replace_configmap(held)


async def test_an_event_shows_where_people_look(kube: Kube, resources: Resources) -> None:
    resources.apply(manifest())
    about = await read(kube, resources.namespace)
    recorder = Recorder(kube)
    worker = asyncio.create_task(recorder.run())
    try:
        recorder.warning(about, "IdleStopped", "Stopped by Together after 60 minutes.")
        await recorder.drain(30)
    finally:
        worker.cancel()
    described = resources.run("describe", "tep", "mixtral").stdout
    assert "Warning  IdleStopped" in described
    assert "together-operator  Stopped by Together after 60 minutes." in described
    (event,) = json.loads(resources.run("get", "events", "-o", "json").stdout)["items"]
    changed = await kube.patch_event(resources.namespace, event["metadata"]["name"], {"count": 3})
    assert changed["count"] == 3


async def test_each_call_is_observed(control_plane: Cluster) -> None:
    seen = []
    async with await Kube.connect(
        control_plane.kubeconfig, observer=lambda *call: seen.append(call)
    ) as kube:
        await kube.get_configmap("default", "none")
        await kube.get_namespace("default")
    assert seen == [("get", "configmaps", "404"), ("get", "namespaces", "200")]


async def test_an_api_server_that_is_away_or_stuck_is_unavailable(
    private_control_plane: ControlPlane,
) -> None:
    plane = private_control_plane
    seen = []
    async with await Kube.connect(
        plane.kubeconfig, call_limit=3.0, observer=lambda *call: seen.append(call[2])
    ) as kube:
        assert await kube.get_namespace("default") is not None
        assert await kube.serves_endpoints() is False, "the CRD is not installed here"
        plane.apiserver.pause()
        with pytest.raises(KubeUnavailable, match="No answer within 3 s"):
            await kube.get_namespace("default")
        plane.apiserver.resume()
        plane.apiserver.stop()
        with pytest.raises(KubeUnavailable, match="was not reached"):
            await kube.get_namespace("default")
        waiting = asyncio.create_task(kube.wait_for_discovery(every=0.1))
        await asyncio.to_thread(plane.apiserver.start)
        await asyncio.to_thread(plane.apiserver.wait_ready)
        assert await kube.get_namespace("default") is not None
        assert not waiting.done()
        crds = PROJECT / "crds"
        await asyncio.to_thread(plane.kubectl, "apply", "--server-side", "-k", str(crds))
        await asyncio.wait_for(waiting, 60)
    assert "unreachable" in seen


async def test_a_kubeconfig_that_leads_nowhere_is_explained(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(KubeconfigInvalid, match=r"there is no such file\. Set --kubeconfig"):
        await Kube.connect(missing)
    broken = tmp_path / "broken"
    broken.write_text("a: b: c")
    with pytest.raises(KubeconfigInvalid, match="Set --kubeconfig"):
        await Kube.connect(broken)
    empty = tmp_path / "empty"
    empty.write_text("{}")
    with pytest.raises(KubeconfigInvalid):
        await Kube.connect(empty)
