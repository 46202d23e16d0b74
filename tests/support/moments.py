"""Moments at which a replica is frozen: between what it was told and what it does about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.chaos.proxy import Answer, Exchange
from tests.support.operator import Object
from tests.support.replicas import Moment
from together_operator.resource.names import API_VERSION


def recorded(exchange: Exchange, answer: Answer) -> bool:
    """The API server has taken the record of a create that is about to be sent."""
    if (exchange.method, answer.status) != ("PUT", 200) or "/status" not in exchange.path:
        return False
    operation = json.loads(exchange.body)["status"].get("operation", {})
    return bool(operation.get("phase") == "Open")


def reads(test: Callable[[Object], Any]) -> Moment:
    """The moment at which a process is told of a resource that passes a test."""

    def moment(exchange: Exchange, answer: Answer) -> bool:
        if exchange.method != "GET" or not exchange.path.endswith("/togetherendpoints/mixtral"):
            return False
        return bool(answer.status == 200 and test(json.loads(answer.body)))

    return moment


def last_question() -> Moment:
    """The moment at which a deletion has been told that it is not the definition that goes."""
    forbidden = False

    def moment(exchange: Exchange, answer: Answer) -> bool:
        nonlocal forbidden
        if "/customresourcedefinitions/" in exchange.path:
            forbidden = answer.status == 403  # then discovery is asked
        return forbidden and exchange.path == f"/apis/{API_VERSION}"

    return moment
