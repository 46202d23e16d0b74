"""One account on a fake driver, and a look at what a LIST of it shows."""

from __future__ import annotations

from tests.controller.fake_driver import FakeDriver
from tests.controller.virtual import steady
from together_operator.controller.account import Account
from together_operator.core.marker import Marker, cluster_tag
from together_operator.core.scan import Scan
from together_operator.core.steps import Look

PAUSE = 60.0


def account(driver: FakeDriver) -> Account:
    return Account("key-a", driver, steady, cluster_tag("cluster"), PAUSE)


def mark(uid: str, nonce: str = "aaaa", cluster: str = "cluster") -> str:
    return Marker.of(cluster, uid, nonce).write("ml/one")


async def scan(one: Account, uid: str = "uid-1", *, since: float = 0.0) -> Scan:
    found = await one.look(
        Look("key-a", since, 0.0, (uid,)),
        cluster="cluster",
        model="acme/model",
        hardware="1x_gpu",
        taken=(),
    )
    assert isinstance(found, Scan)
    return found
