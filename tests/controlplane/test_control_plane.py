"""The control plane is a real one: RBAC, garbage collection, and it can be broken on purpose."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.controlplane.machine import eventually, nothing_left
from tests.support.cluster import Run
from together_local.cluster.binaries import Binaries
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.errors import CommandError, InUseError, StartError


def _config_map(name: str, **metadata: object) -> str:
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    )


def test_a_service_account_may_do_what_rbac_says_and_no_more(
    control_plane: Cluster, kubectl: Run, namespace: str, tmp_path: Path
) -> None:
    kubectl("-n", namespace, "create", "serviceaccount", "reader")
    kubectl("-n", namespace, "create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    subject = f"--serviceaccount={namespace}:reader"
    kubectl("-n", namespace, "create", "rolebinding", "reader", "--role=reader", subject)
    reader = control_plane.service_account_kubeconfig(namespace, "reader", tmp_path / "reader")
    assert reader.stat().st_mode & 0o777 == 0o600
    who = json.loads(kubectl("auth", "whoami", "-o", "json", kubeconfig=reader).stdout)
    assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:reader"
    kubectl("get", "configmaps", kubeconfig=reader)
    with pytest.raises(CommandError, match="cannot list resource"):
        kubectl("get", "secrets", kubeconfig=reader)
    with pytest.raises(CommandError, match="cannot create resource"):
        kubectl("create", "configmap", "x", kubeconfig=reader)


def test_a_namespace_named_like_a_yaml_boolean_is_a_namespace(
    control_plane: Cluster, kubectl: Run, tmp_path: Path
) -> None:
    kubectl("create", "namespace", "y")
    try:
        kubectl("-n", "y", "create", "serviceaccount", "no")
        path = control_plane.service_account_kubeconfig("y", "no", tmp_path / "kubeconfig")
        kubectl("auth", "whoami", kubeconfig=path)
    finally:
        kubectl("delete", "namespace", "y", "--wait=false")


def test_garbage_is_collected(kubectl: Run, namespace: str) -> None:
    created = kubectl(
        "-n", namespace, "create", "-f", "-", "-o", "json", input=_config_map("owner")
    )
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    reference = {**owner, "uid": json.loads(created.stdout)["metadata"]["uid"]}
    kubectl(
        *("-n", namespace, "create", "-f", "-"),
        input=_config_map("owned", ownerReferences=[reference]),
    )
    kubectl("-n", namespace, "delete", "configmap", "owner")
    kubectl("-n", namespace, "wait", "--for=delete", "configmap/owned", "--timeout=60s")


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Run) -> None:
    kubectl("create", "namespace", "full")
    kubectl("-n", "full", "create", "secret", "generic", "key", "--from-literal=a=b")
    kubectl("delete", "namespace", "full", timeout=60)
    assert kubectl("get", "namespace", "full", "--ignore-not-found").stdout == ""


def test_kubectl_does_not_see_the_persons_own_configuration(
    kubectl: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_text("not: a kubeconfig")
    (tmp_path / ".kube/kuberc").write_text("nor: a kuberc")
    monkeypatch.setenv("HOME", str(tmp_path))
    kubectl("get", "namespaces")
    assert sorted(path.name for path in (tmp_path / ".kube").iterdir()) == ["config", "kuberc"]


def test_parts_can_be_stopped_frozen_and_killed_and_come_back(
    private_control_plane: ControlPlane,
) -> None:
    plane = private_control_plane
    server = plane.server
    plane.kubectl("create", "namespace", "stays")

    plane.apiserver.kill()
    assert not plane.apiserver.running
    assert plane.kubectl("get", "namespaces", check=False).returncode != 0
    plane.apiserver.start()
    assert plane.server == server
    assert plane.kubectl("get", "namespace", "stays").returncode == 0

    plane.etcd.kill()
    plane.etcd.start()
    plane.apiserver.wait_ready()
    assert plane.kubectl("get", "namespace", "stays").returncode == 0

    plane.apiserver.pause()
    with pytest.raises(subprocess.TimeoutExpired):
        plane.kubectl("get", "namespaces", timeout=1)
    plane.apiserver.resume()
    plane.kubectl("get", "namespaces")

    plane.controller_manager.stop()
    plane.kubectl("delete", "namespace", "stays", "--wait=false")
    found = plane.kubectl("get", "namespace", "stays", "-o", "jsonpath={.status.phase}")
    assert found.stdout == "Terminating"
    plane.controller_manager.start()
    plane.kubectl("wait", "--for=delete", "namespace/stays", "--timeout=60s")


def test_an_open_watch_does_not_keep_the_server_from_stopping(
    private_control_plane: ControlPlane,
) -> None:
    plane = private_control_plane
    with subprocess.Popen(
        [plane.binaries["kubectl"], "get", "namespaces", "--watch"],
        env=plane.environment(),
        stdout=subprocess.PIPE,
    ) as watch:
        assert watch.stdout is not None
        assert b"NAME" in watch.stdout.readline()
        assert plane.apiserver.stop(), "SIGTERM is enough"
        watch.kill()


def test_all_that_is_stored_can_be_brought_back(
    private_control_plane: ControlPlane, tmp_path: Path
) -> None:
    plane = private_control_plane
    plane.kubectl("create", "configmap", "early")
    plane.save_etcd(tmp_path / "saved")
    plane.kubectl("create", "configmap", "late")
    plane.restore_etcd(tmp_path / "saved")
    names = plane.kubectl("get", "configmaps", "-o", "name").stdout.split()
    assert "configmap/early" in names
    assert "configmap/late" not in names
    plane.kubectl("create", "configmap", "later")


def test_a_later_start_in_the_same_folder_has_the_same_state_and_address(
    binaries: Binaries, tmp_path: Path
) -> None:
    folder = tmp_path / "plane"
    with ControlPlane.start(folder, binaries) as plane:
        plane.kubectl("create", "configmap", "kept")
        server, kubeconfig = plane.server, plane.kubeconfig.read_bytes()
        with pytest.raises(InUseError, match="is in use by process"):
            ControlPlane.start(folder, binaries)
    nothing_left(folder)
    with ControlPlane.start(folder, binaries) as plane:
        assert plane.server == server
        assert plane.kubeconfig.read_bytes() == kubeconfig
        assert plane.kubectl("get", "configmap", "kept").returncode == 0


def test_keys_and_data_are_for_their_owner_only(private_control_plane: ControlPlane) -> None:
    folder = private_control_plane.directory
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in (folder / "kubeconfig", *(folder / "certificates").glob("*.key")):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_etcd_answers_nobody_without_a_certificate(private_control_plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(private_control_plane.ca))
    port = private_control_plane.etcd.port
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    # The handshake ends before the server has looked at the client's certificate.
    connection.request("GET", "/version")
    with pytest.raises(ssl.SSLError, match="certificate required"):
        connection.getresponse()
    connection.close()


def test_a_part_that_cannot_start_shows_its_log_and_leaves_nothing(
    binaries: Binaries, tmp_path: Path
) -> None:
    folder = tmp_path / "plane"
    with pytest.raises(StartError, match=r"kube-apiserver ended\. Its log:") as caught:
        ControlPlane.start(folder, binaries, apiserver_flags=("--no-such-flag",))
    assert "unknown flag: --no-such-flag" in str(caught.value)
    nothing_left(folder)
    with ControlPlane.start(folder, binaries) as plane:
        eventually(lambda: plane.controller_manager.ready, "all of it is ready")
