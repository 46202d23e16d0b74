"""Each right that the chart gives is needed, and one that is missing is told by its name.

One right after the other is taken away, by whatever rules the chart renders. The operator starts
without it and goes through the whole life of a resource: somewhere on the way the API server must
refuse, and the operator must say what it may not do, or there was no need for the right. With it
back, everything comes to its end by itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import Right, rendered_rbac, rights, roles_without
from tests.support.definition import define
from tests.support.operator import (
    HARDWARE,
    NotInTime,
    Object,
    OperatorProcess,
    eventually,
    manifest,
    reason_of,
)
from tests.support.running import run_command, running_operator
from tests.support.team import Team
from together_local.cluster.binaries import Binaries
from together_local.cluster.control_plane import ControlPlane
from together_operator.controller.identity import CONFIGMAP

pytestmark = pytest.mark.timeout(1200)


class Bench:
    """An operator whose rights are taken away one by one.

    Attributes:
        operator: The operator.
        team: Whom it serves.
        rendered: The chart's RBAC for an install in that namespace.
    """

    def __init__(self, operator: OperatorProcess, helm: Path) -> None:
        self.operator = operator
        self.team = Team(operator, operator.space)
        scope = {"scope": {"namespaces": [self.team.name]}, "settings": {"clusterID": "own"}}
        self.rendered = rendered_rbac(helm, operator.namespace, scope)
        self.keys = self.team.key, f"{self.team.key}-too"
        operator.simulator.admin.keys(projects=dict.fromkeys(self.keys, self.team.name))
        # Nobody answers for this one, which each process tells in its own namespace. It is like
        # nothing that is ordered here, so no doubt is cast on an order.
        bounds = {"min_replicas": 1, "max_replicas": 1}
        strange = {"model": OTHER_MODEL, "hardware": HARDWARE, "autoscaling": bounds}
        operator.simulator.admin.create({**strange, "project": self.team.name})
        self._begin = 0
        self._lives = 0
        self._uid = ""

    def allow_all_but(self, right: Right | None) -> None:
        """Give the operator every right of the chart but one."""
        roles = yaml.safe_dump_all(roles_without(self.rendered, right))
        self.operator.cluster.kubectl("replace", "-f", "-", input=roles)

    def start(self, right: Right | None) -> None:
        """Start it anew, without knowing which cluster it is."""
        if self.operator.pid and self.operator.running:
            self.operator.kill()
        self._begin = self.operator.log.stat().st_size if self.operator.log.exists() else 0
        self.forget_cluster()
        if right is not None and right.verb == "update":
            kubectl = self.operator.cluster.kubectl
            kubectl("-n", self.operator.namespace, "create", "configmap", CONFIGMAP)
        self.operator.launch()

    def forget_cluster(self) -> None:
        """Take away what the operator knows of the cluster's name."""
        kubectl = self.operator.cluster.kubectl
        where = ("-n", self.operator.namespace)
        kubectl("delete", "configmap", CONFIGMAP, *where, "--ignore-not-found")
        # The one that was killed holds it still.
        kubectl("delete", "lease", "--all", *where)

    def said(self) -> str:
        """What it has said since about what it may not do."""
        if not self.operator.log.exists():
            return ""
        with self.operator.log.open() as file:
            file.seek(self._begin)
            return "".join(line for line in file if " cannot " in line).replace('\\"', '"')

    def named(self, right: Right) -> bool:
        """Whether it said of this right that it is missing, in words for whoever can give it."""
        return any(
            f'cannot {right.verb} resource "{right.resource}"' in line
            and "the operator may not" in line.lower()
            for line in self.said().splitlines()
        )

    def live(self, right: Right | None) -> bool:
        """Take a resource through everything; whether that came to its end.

        Or else the right that is missing was asked for, and named.
        """
        self._lives += 1
        name = f"life-{self._lives}"
        for step in (self.begin, self.rename, self.spoil, self.rotate, self.rename, self.end):
            step(name)
            if (
                eventually(
                    f"{name}: {step.__name__} without {right}",
                    lambda: self._stopped_by(right) or self._at_rest(name),
                    within=90,
                )
                is Stopped
            ):
                return False
        if right is not None:
            # Orphans are told when the cluster has been looked at as a whole.
            with contextlib.suppress(NotInTime):
                eventually(f"{right} is asked for", lambda: self.named(right), within=60)
                return False
        return True

    def _stopped_by(self, right: Right | None) -> Any:
        return Stopped if right is not None and self.named(right) else None

    def _at_rest(self, name: str) -> bool:
        found = self.team.read(name)
        if found is None:
            return not any(self._uid in secret for secret in self.kept())
        self._uid = found["metadata"]["uid"]
        asked = found["metadata"].get("annotations", {}).get(ASKED)
        handled = found.get("status", {}).get("lastHandledReconcileAt")
        return reason_of(found) == "Serving" and asked == handled and self._settled(found)

    def _settled(self, found: Object) -> bool:
        spec = found["spec"]
        name = spec["connection"]["configMapName"]
        text = self.team.kubectl("get", "configmap", name, "-o", "json", "--ignore-not-found")
        told = json.loads(text)["data"] if text else {}
        return bool(told.get("OPENAI_MODEL") == found["status"]["name"])

    def kept(self) -> list[str]:
        """The Secrets in its own namespace."""
        where = ("-n", self.operator.namespace, "get", "secrets", "-o", "name")
        return self.operator.cluster.kubectl(*where).stdout.split()

    def forgotten(self) -> list[str]:
        """The resources whose key copy stays without a word.

        An operator that was ended between an order and its answer leaves a doubt behind: the copy
        is watched with beyond the resource, which is told with its deletion.
        """
        where = ("-n", self.operator.namespace, "get", "secrets", "-o", "json")
        copies = json.loads(self.operator.cluster.kubectl(*where).stdout)["items"]
        owners = [copy["metadata"]["annotations"][OWNER].partition("/")[2] for copy in copies]
        return [name for name in owners if "DeletedWithDoubt" not in self.team.events(name)]

    # -- a life ----------------------------------------------------------------------------------

    def begin(self, name: str) -> None:
        """It is made, with a key and a ConfigMap of its own."""
        self.team.secret(self.keys[0], name=name)
        connection = {"configMapName": name}
        self.team.apply(
            manifest(name, apiKeySecretRef={"name": name}, connection=connection, displayName="A")
        )

    def rename(self, name: str) -> None:
        """It gets one name after the other, the same ones again: so the same events, too."""
        for human in ("B", "C"):
            self.team.spec(name, displayName=human)
            with contextlib.suppress(AssertionError):
                self.team.awaits(name, human, lambda it: _named(it, self.team), within=5)

    def spoil(self, name: str) -> None:
        """What somebody wrote into its ConfigMap has to be put back."""
        self.team.kubectl(
            *("patch", "configmap", name, "--patch-file=/dev/stdin"),
            document={"data": {"OPENAI_MODEL": "another"}},
            check=False,
        )
        self.team.annotate(name, "reconcile-requested-at", "1")

    def rotate(self, name: str) -> None:
        """Its key is replaced, and so is the ConfigMap by one of another name."""
        self.team.secret(self.keys[1], name=name)
        self.team.spec(name, connection={"configMapName": f"{name}-too"})
        self.team.annotate(name, "reconcile-requested-at", "2")

    def end(self, name: str) -> None:
        """It is deleted."""
        self.team.delete(name)


class Stopped:
    """In place of a rest: the right was asked for, and missing."""


OTHER_MODEL = "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"
SELDOM = {"own-patch-events"}
"""Asked for where the same report of orphans is made again soon, as for the events of resources."""

OWNER = "together-operator.io/resource"
"""On a key copy: whose it is."""

ASKED = "together-operator.io/reconcile-requested-at"


def _named(found: Object, team: Team) -> bool:
    shown = found.get("status", {}).get("displayName", "")
    return bool(shown.startswith(found["spec"]["displayName"] + " "))


@pytest.fixture(scope="module")
def bench(
    binaries: Binaries, helm_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """On an API server that is stricter than most about who may name an owner of what."""
    folder = tmp_path_factory.mktemp("rights")
    strict = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
    with ControlPlane.start(folder / "plane", binaries, apiserver_flags=(strict,)) as cluster:
        define(cluster.kubectl)
        with running_operator(
            cluster, helm_binary, folder, secret=False, start=False, flags=["--leader-elect"]
        ) as operator:
            made = Bench(operator, helm_binary)
            yield made
            made.allow_all_but(None)


def test_with_all_its_rights_it_lacks_none(bench: Bench, helm_binary: Path) -> None:
    bench.allow_all_but(None)
    bench.start(None)
    assert bench.live(None)
    # What can be given for a whole cluster only, it does without.
    anywhere = rights(rendered_rbac(helm_binary, bench.operator.namespace))
    beyond = [right for right in anywhere if right not in rights(bench.rendered)]
    assert beyond
    lines = bench.said().splitlines()
    known = [f'cannot {right.verb} resource "{right.resource}"' for right in beyond]
    assert [line for line in lines if not any(text in line for text in known)] == []
    # Each of them is named as well, by what goes on without it or by what cannot.
    args = bench.operator.command()[3:]
    at = args.index("--cluster-id")
    bench.operator.kill()
    bench.forget_cluster()
    nameless = run_command(*args[:at], *args[at + 2 :])
    assert nameless.returncode == 1, nameless.stderr
    told = bench.said() + nameless.stderr
    assert [right for right, text in zip(beyond, known, strict=True) if text not in told] == []


def test_each_right_is_needed_and_named_where_it_is_missing(bench: Bench) -> None:
    needless = []
    for right in rights(bench.rendered):
        if str(right) in SELDOM:
            continue
        bench.allow_all_but(right)
        bench.start(right)
        if bench.live(right):
            needless.append(str(right))
    assert needless == [], "granted, and nothing asks for it"


def test_with_its_rights_back_everything_comes_to_its_end(bench: Bench) -> None:
    bench.allow_all_but(None)
    bench.start(None)
    bench.team.kubectl("delete", "tep", "--all", "--timeout=120s")
    eventually("no copy of a key is forgotten", lambda: not bench.forgotten(), within=60)
    assert [e for e in bench.team.live() if " tep-" in e["display_name"]] == []
