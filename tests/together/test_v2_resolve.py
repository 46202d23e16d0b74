"""From a model and hardware to one config of API v2, or to what a person has to decide."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from tests.together.acts_v2 import MODEL, ORDER, asked, deployed, made, order, refusal
from tests.together.fake import listed, nested, ok, together
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault
from together_local.simulator.v2.console import NewModel
from together_operator.drivers import Deployer, V2Driver, v1_hardware, v2_hardware
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Done,
    NotSent,
    Offer,
    Order,
    Refused,
    Unavailable,
)

TWO_WAYS = "openai/gpt-oss-120b"
QUANTIZED = "Qwen/Qwen2.5-72B-Instruct-Turbo"


@pytest.mark.parametrize(
    ("v1", "v2"),
    [
        ("2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"),
        ("8x_nvidia_h200_140gb_sxm", "8xnvidia-h200-141gb"),
        ("1x_nvidia_b200_180gb_sxm", "1xnvidia-b200-180gb"),
    ],
)
def test_hardware_in_either_spelling(v1: str, v2: str) -> None:
    assert v2_hardware(v1) == v2_hardware(v2) == v2
    assert v1_hardware(v1) == v1_hardware(v2) == v1


@pytest.mark.parametrize("unknown", ["1x_nvidia_new_1tb", "anything", "", "x_", "2xnew-gpu"])
def test_hardware_that_the_table_does_not_know(unknown: str) -> None:
    assert v2_hardware(unknown) == unknown


async def config_of(v2: Deployer, wanted: Order) -> str:
    """Return the id of the config that an order is deployed with."""
    one = await deployed(v2, await made(v2, wanted), wanted=wanted)
    return one.config.rpartition("/")[2]


async def candidates(v2: Deployer, model: str, hardware: str) -> dict[str, str]:
    """Return what a person is told to choose from: ids of configs, with what tells them apart."""
    seen = await refusal(v2, model=model, hardware=hardware)
    assert (seen.reason, seen.retryable) == (Reason.CONFIG_REQUIRED, False)
    assert "spec.v2.configID" in seen.message
    listed_ = seen.message.partition("There are: ")[2].rstrip(".")
    pairs = [one.partition(" (") for one in listed_.rstrip(")").split("), ")]
    return {config: text for config, _, text in pairs}


class TestPublic:
    """Models of the catalogue."""

    @pytest.mark.parametrize("hardware", ["2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"])
    async def test_one_survivor_is_taken(self, v2: Deployer, hardware: str) -> None:
        wanted = order(hardware=hardware)
        one = await deployed(v2, await made(v2, wanted), wanted=wanted)
        assert one.hardware == "2xnvidia-h100-80gb"

    async def test_several_are_a_persons_choice(self, v2: Deployer, sim: Simulator) -> None:
        hardware = "2xnvidia-h100-80gb"
        found = await candidates(v2, TWO_WAYS, hardware)
        assert sorted(found.values()) == [
            "MXFP4, tuned for latency, with draft model",
            "MXFP4, tuned for throughput, without draft model",
        ]
        assert asked(sim, "POST") == []
        for number, config in enumerate(found):
            wanted = order(
                model=TWO_WAYS, hardware=hardware, config=config, endpoint_name=f"e{number}"
            )
            assert await config_of(v2, wanted) == config

    @pytest.mark.parametrize(
        ("wanted", "tuned"), [(True, "with draft model"), (False, "without draft model")]
    )
    async def test_speculative_decoding_is_a_config(
        self, v2: Deployer, wanted: bool, tuned: str
    ) -> None:
        hardware = "2xnvidia-h100-80gb"
        found = await candidates(v2, TWO_WAYS, hardware)
        (config,) = (one for one, text in found.items() if text.endswith(f", {tuned}"))
        asks = order(model=TWO_WAYS, hardware=hardware, speculative_decoding=wanted)
        assert await config_of(v2, asks) == config

    @pytest.mark.parametrize(
        ("model", "hardware", "wanted", "word"),
        [
            (MODEL, "2xnvidia-h100-80gb", True, "Enabled"),
            (
                "meta-llama/Llama-4-Scout-17B-16E-Instruct",
                "8xnvidia-h100-80gb",
                False,
                "Disabled",
            ),
        ],
    )
    async def test_speculative_decoding_that_is_not_to_be_had(
        self, v2: Deployer, model: str, hardware: str, wanted: bool, word: str
    ) -> None:
        seen = await refusal(v2, model=model, hardware=hardware, speculative_decoding=wanted)
        assert (seen.reason, seen.retryable) == (Reason.UNSUPPORTED, False)
        assert f"spec.speculativeDecoding cannot be {word}" in seen.message

    async def test_quantizations_are_told_apart(self, v2: Deployer) -> None:
        found = await candidates(v2, QUANTIZED, "4xnvidia-h100-80gb")
        assert sorted(text.partition(",")[0] for text in found.values()) == ["BF16", "FP8"]
        # The name of one build leaves no choice.
        wanted = order(model=f"{QUANTIZED}-FP8", hardware="4xnvidia-h100-80gb")
        one = await deployed(v2, await made(v2, wanted), wanted=wanted)
        assert one.quantization == "FP8"

    async def test_a_model_that_only_has_builds_of_other_names(self, v2: Deployer) -> None:
        wanted = order(model="deepseek-ai/DeepSeek-V3", hardware="8xnvidia-h200-141gb")
        one = await deployed(v2, await made(v2, wanted), wanted=wanted)
        assert one.quantization == "FP8"

    async def test_profiles_in_another_spelling(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.assume({"profile_gpu_type": "short"})
        await config_of(v2, ORDER)
        seen = await refusal(v2, hardware="8xnvidia-h100-80gb")
        assert seen.reason is Reason.INVALID_HARDWARE
        assert "2xnvidia-h100-80gb ($10.98/h, available)" in seen.message

    async def test_hardware_that_there_is_not_for_it(self, v2: Deployer) -> None:
        seen = await refusal(v2, hardware="1x_nvidia_h100_80gb_sxm")
        assert (seen.reason, seen.retryable) == (Reason.INVALID_HARDWARE, False)
        assert "on 1xnvidia-h100-80gb" in seen.message
        assert "1xnvidia-h200-141gb ($6.79/h, available)" in seen.message
        # All is told, so that nothing is told twice.
        assert await v2.explain(order(hardware="1x_nvidia_h100_80gb_sxm"), seen) == seen

    @pytest.mark.parametrize(
        ("model", "told"),
        [
            ("nobody/nothing", "has no model nobody/nothing"),
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "not every model of API v1"),
            ("mistralai/Mixtral", f"Names like it: {MODEL}."),
            (MODEL.lower(), f"Names like it: {MODEL}."),
            ("mistralai/Mixtral-8x7B-v0.1", "no certified config"),
        ],
    )
    async def test_a_model_that_cannot_be_deployed(
        self, v2: Deployer, model: str, told: str
    ) -> None:
        seen = await refusal(v2, model=model)
        assert (seen.reason, seen.retryable) == (Reason.INVALID_MODEL, False)
        assert told in seen.message
        assert await v2.offers(model) == ()

    async def test_a_config_of_another_model(self, v2: Deployer) -> None:
        (config, *_) = await candidates(v2, TWO_WAYS, "2xnvidia-h100-80gb")
        seen = await refusal(v2, config=config)
        assert (seen.reason, seen.retryable) == (Reason.INVALID_REQUEST, False)
        assert f"The config {config} of spec.v2.configID is none for {MODEL}" in seen.message
        assert "On 2xnvidia-h100-80gb there are: cr_" in seen.message

    async def test_a_config_for_other_hardware(self, v2: Deployer) -> None:
        (config, *_) = await candidates(v2, TWO_WAYS, "2xnvidia-h100-80gb")
        seen = await refusal(v2, model=TWO_WAYS, hardware="1xnvidia-h100-80gb", config=config)
        assert (seen.reason, seen.retryable) == (Reason.INVALID_HARDWARE, False)
        assert "runs on 2xnvidia-h100-80gb" in seen.message
        assert "spec.hardware says 1xnvidia-h100-80gb" in seen.message

    async def test_a_config_that_no_profile_names(self) -> None:
        profile = {
            "model": "projects/proj_t/models/ml_1/revisions/rv_1",
            "modelName": "a/b",
            "config": "projects/proj_t/configs/cr_1",
            "gpuType": "new",
            "gpuCount": 1,
            "quantization": "FP8",
        }
        other = {
            "id": "cr_2",
            "projectId": "proj_t",
            "selectors": [
                {"key": "accelerator_type", "value": "new"},
                {"key": "accelerator_count", "value": "1"},
            ],
        }
        fake = together(
            ok({"type": "project_api_key", "project": {"id": "proj_1", "slug": "team"}}),
            ok(listed({"id": "arch_1", "name": "a/b", "deploymentProfiles": [profile]})),
            ok(listed({"id": "i", "name": "1xnew", "priceCentsPerHour": 100})),
            ok(listed(other)),
            ok({"id": "ep_1", "name": "team/mixtral"}),
            ok({"id": "", "name": ""}),
            ok({"id": "dep_1", "name": "team/mixtral/x"}),
        )
        driver = V2Driver(fake.client_v2())
        wanted = order(model="a/b", hardware="1xnew", config="cr_2")
        assert isinstance(await driver.create(wanted), Done)
        assert fake.requests[3].url.params["referenceModel"] == "projects/proj_t/models/ml_1"
        fake.script.insert(5, fake.script[3])
        assert isinstance(await driver.deploy("ep_1", "x", wanted), Done)
        assert fake.body()["config"] == "projects/proj_t/configs/cr_2"
        assert fake.body()["model"] == profile["model"]


class TestRegion:
    """A zone is a region with a letter behind it."""

    @pytest.mark.parametrize("zone", ["us-mars-1a", "us-central-4bb", "us-central-45", "us"])
    async def test_no_such_region(self, v2: Deployer, zone: str) -> None:
        seen = await refusal(v2, availability_zone=zone)
        assert (seen.reason, seen.retryable) == (Reason.UNSUPPORTED, False)
        assert f"spec.availabilityZone '{zone}'" in seen.message
        assert "Regions: us-central-4, us-east-1, us-west-2." in seen.message

    async def test_a_region_without_this_hardware(self, v2: Deployer) -> None:
        seen = await refusal(v2, hardware="2xnvidia-b200-180gb", availability_zone="us-west-2b")
        assert seen.reason is Reason.UNSUPPORTED
        assert "Regions: us-central-4." in seen.message


class TestProjectModels:
    """Models that a project owns, fine-tuned or uploaded."""

    @pytest.mark.parametrize("public_configs", [True, False])
    @pytest.mark.parametrize("form", ["tuned", "default/tuned", "ml_"])
    async def test_by_name_or_id(
        self, v2: Deployer, sim: Simulator, form: str, public_configs: bool
    ) -> None:
        sim.console.assume({"configs_of_public_models": public_configs})
        own = sim.console.add_model(NewModel(name="tuned", base_model=MODEL))
        wanted = order(model=own["id"] if form == "ml_" else form)
        one = await deployed(v2, await made(v2, wanted), wanted=wanted)
        assert one.model == f"{own['model']}/revisions/{own['revisionId']}"
        assert one.hardware == "2xnvidia-h100-80gb"
        assert isinstance(await v2.offers(wanted.model), tuple)

    async def test_its_newest_validated_revision(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.add_model(NewModel(name="tuned", base_model=MODEL))
        sim.console.advance(1)
        good = sim.console.add_model(NewModel(name="tuned", base_model=MODEL))
        sim.console.advance(1)
        sim.console.add_model(NewModel(name="tuned", base_model=MODEL, validation="FAILED"))
        wanted = order(model="tuned")
        one = await deployed(v2, await made(v2, wanted), wanted=wanted)
        assert one.model.endswith(good["revisionId"])

    @pytest.mark.parametrize(("word", "retryable"), [("PENDING", True), ("FAILED", False)])
    async def test_none_is_validated(
        self, v2: Deployer, sim: Simulator, word: str, retryable: bool
    ) -> None:
        sim.console.add_model(NewModel(name="tuned", base_model=MODEL, validation=word))
        seen = await refusal(v2, model="tuned")
        assert (seen.reason, seen.retryable) == (Reason.INVALID_MODEL, retryable)
        assert word in seen.message
        # Nothing bad is kept.
        sim.console.add_model(NewModel(name="tuned", base_model=MODEL))
        assert isinstance(await v2.create(order(model="tuned")), Done)

    async def test_without_a_config(self, v2: Deployer, sim: Simulator) -> None:
        base = "mistralai/Mixtral-8x7B-Instruct-v0.1"
        sim.console.add_model(NewModel(name="tuned", base_model=base))
        fault = Fault(
            fault="status", path_regex="/configs$", status=400, times=2,
            body={"error": {"message": "unknown model", "type": "invalid_request_error"}},
        )  # fmt: skip
        sim.console.arm([fault])
        seen = await refusal(v2, model="tuned")
        assert seen.reason is Reason.INVALID_MODEL
        assert "API v2 has no config for default/tuned" in seen.message

    async def test_another_projects_model_is_unknown(self, v2: Deployer, sim: Simulator) -> None:
        own = sim.console.add_model(NewModel(name="tuned", base_model=MODEL, project="other"))
        for model in ("tuned", "other/tuned", own["id"]):
            assert (await refusal(v2, model=model)).reason is Reason.INVALID_MODEL


class TestOffers:
    """Hardware with prices, in the spelling of v2."""

    async def test_all_and_those_of_a_model(self, v2: Deployer, sim: Simulator) -> None:
        everything = await v2.offers()
        assert isinstance(everything, tuple)
        assert Offer("1xnvidia-h100-80gb", Decimal(549), "available") in everything
        some = await v2.offers(MODEL)
        assert isinstance(some, tuple)
        assert {one.hardware for one in some} < {one.hardware for one in everything}
        assert "1xnvidia-h100-80gb" not in {one.hardware for one in some}
        await v2.offers()
        assert len(asked(sim, part="instance-types")) == 1

    async def test_what_is_sold_out(self, v2: Deployer, sim: Simulator) -> None:
        sim.console.capacity({"2xnvidia-h100-80gb": 0})
        offers = await v2.offers(MODEL)
        assert isinstance(offers, tuple)
        words = {one.hardware: one.availability for one in offers}
        assert words["2xnvidia-h100-80gb"] == "unavailable"
        assert words["4xnvidia-h100-80gb"] == "available"

    @pytest.mark.parametrize(
        ("regions", "word"),
        [
            ([], None),
            ([{"name": "r"}], None),
            ([{"name": "r", "headroom": {"value": 0}}, {"name": "s"}], None),
            ([{"name": "r", "headroom": {"value": 0, "relation": "RELATION_GTE"}}], None),
            ([{"name": "r", "headroom": {"value": 0, "relation": "RELATION_EQ"}}], "unavailable"),
            ([{"name": "r", "headroom": {"value": 0}}, {"name": "s", "headroom": {"value": 3}}],
             "available"),
        ],
    )  # fmt: skip
    async def test_headroom_in_words(self, regions: list[object], word: str | None) -> None:
        rows = [{"id": "1", "name": "1xa", "priceCentsPerHour": 100.5, "regions": regions}]
        rows.append({"id": "2", "name": "2xa"})
        seen = await V2Driver(together(ok(listed(*rows))).client_v2()).offers()
        assert seen == (Offer("1xa", Decimal("100.5"), word),)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (nested(401, "Invalid"), Reason.UNAUTHORIZED),
            (httpx.ConnectError("refused"), Reason.UNREACHABLE),
        ],
    )
    async def test_what_cannot_be_read(
        self, answer: httpx.Response | Exception, reason: Reason
    ) -> None:
        driver = V2Driver(together(answer).client_v2())
        for seen in (await driver.offers(), await driver.offers(MODEL)):
            assert isinstance(seen, Unavailable)
            assert seen.reason is reason

    async def test_a_refusal_of_togethers_is_explained(self, v2: Deployer) -> None:
        bare = Refused(Reason.INVALID_HARDWARE, "Together refused.")
        seen = await v2.explain(ORDER, bare)
        assert "can use: 1xnvidia-h200-141gb ($6.79/h, available)" in seen.message
        other = Refused(Reason.NAME_TAKEN, "Together refused.")
        assert await v2.explain(ORDER, other) is other


async def test_what_fails_while_looking_up_is_looked_up_again(v2: Deployer, sim: Simulator) -> None:
    for path in ("supported-models", "configs/"):
        sim.console.arm([Fault(fault="status", path_regex=path, status=503, times=2)])
        wanted = order(model=TWO_WAYS, hardware="2xnvidia-h100-80gb", speculative_decoding=True)
        assert isinstance(await v2.create(wanted), NotSent)
    assert isinstance(await v2.create(wanted), Done)
