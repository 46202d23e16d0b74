"""The status schema holds whatever the operator writes, and nothing that it did not."""

from __future__ import annotations

from tests.cluster.resources import Resources, manifest
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.endpoint_status import (
    Applied,
    Condition,
    Inference,
    Operation,
    OperationPhase,
    Price,
    Refusal,
    StatusAutoscaling,
)
from together_operator.resource.facts import INT32_MAX
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.status import Status

LONG = "ü" * 10_000
BOUNDS = StatusAutoscaling(min_replicas=1, max_replicas=INT32_MAX)
FULL = Status(
    observed_generation=7,
    api="V1",
    endpoint_id="endpoint-" + "0" * 36,
    name="n" * 512,
    display_name=LONG,
    hardware=LONG,
    owner=LONG,
    created_at="2026-11-22T07:00:00.123Z",
    state=LONG,
    autoscaling=BOUNDS,
    replicas=INT32_MAX,
    ready_replicas=0,
    selector="together-operator.io/pods=none",
    inference=Inference(base_url="https://api.together.ai/v1", model="m"),
    price=Price(per_replica_hour="5.49"),
    applied=Applied(
        display_name=LONG,
        autoscaling=BOUNDS,
        inactive_timeout_minutes=0,
        speculative_decoding="Enabled",
        availability_zone="us-central-4b",
        state="Started",
    ),
    operation=Operation(
        phase=OperationPhase.REFUSED,
        uid="u",
        cluster="c",
        credential="k",
        nonce="aaaa",
        date="Sun, 22 Nov 2026 07:00:00 GMT",
        attempts=3,
        open=("aaaa", "bbbb"),
        removing=("endpoint-1",),
        refusal=Refusal(reason="InvalidHardware", message=LONG, generation=7),
    ),
    adopted=True,
    last_handled_reconcile_at=LONG,
    last_handled_restart_at="now",
    conditions=tuple(
        Condition(
            type=kind,
            status="Unknown",
            observed_generation=7,
            last_transition_time="2026-11-22T07:00:00Z",
            reason=Reason.SERVING,
            message=LONG,
        )
        for kind in ConditionType
    ),
)


def test_a_full_status_comes_back_as_it_was_written(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(FULL.to_dict())
    assert resources.read()["status"] == FULL.to_dict()
    assert TogetherEndpoint.parse(resources.read()).status == FULL


def test_the_least_status_comes_back_too(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(Status().to_dict())
    assert TogetherEndpoint.parse(resources.read()).status == Status()


def test_what_the_schema_does_not_know_is_pruned(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell({"phase": "Running", "state": "STARTED"})
    assert resources.read()["status"] == {"observedGeneration": -1, "state": "STARTED"}


def test_conditions_of_two_writers_are_merged_by_type(resources: Resources) -> None:
    resources.apply(manifest())
    ready, stalled = FULL.to_dict()["conditions"][0], FULL.to_dict()["conditions"][2]
    for writer, condition in (("one", ready), ("two", stalled)):
        patch = manifest() | {"status": {"conditions": [condition]}}
        del patch["spec"]
        resources.run(
            "apply", "--server-side", "--subresource=status", f"--field-manager={writer}",
            "-f", "-", document=patch,
        )  # fmt: skip
    kept = resources.read()["status"]["conditions"]
    assert [condition["type"] for condition in kept] == ["Ready", "Stalled"]
