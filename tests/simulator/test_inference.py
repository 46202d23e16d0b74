"""Answers that name the endpoint, and refusals that say why."""

from __future__ import annotations

import json

import pytest

from tests.simulator.api import HARDWARE, MODEL, UP, Api, error_of
from together_local.simulator import Simulator


async def test_the_answer_names_the_endpoint(api: Api, together: Simulator) -> None:
    first, second = await api.create(), await api.create()
    together.console.advance(UP)
    for endpoint in (first, second):
        answer = (await api.chat(endpoint["name"])).json()
        assert answer["model"] == endpoint["name"]
        assert answer["object"] == "chat.completion"
        content = answer["choices"][0]["message"]["content"]
        assert endpoint["name"] in content
        assert endpoint["id"] in content
        assert "Hello" in content
        assert answer["usage"]["total_tokens"] > 0


async def test_streaming(api: Api, together: Simulator) -> None:
    endpoint = await api.create()
    together.console.advance(UP)
    body = {
        "model": endpoint["name"],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": True,
    }
    response = await api.http.post("/chat/completions", json=body)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    text = " ".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert endpoint["name"] in text
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_not_running_in_any_other_state(api: Api, together: Simulator) -> None:
    endpoint = await api.create(inactive_timeout=5)
    for seconds in (0, 10, 120, 5 * 60, 15):
        together.console.advance(seconds)
        refused = await api.chat(endpoint["name"])
        assert refused.status_code == 400
        assert error_of(refused)["code"] == "dedicated_endpoint_not_running"
        assert refused.json()["id"]
    assert await api.state(endpoint["id"]) == "STOPPED"


@pytest.mark.parametrize("name", ["nobody/nothing", MODEL])
async def test_not_available(api: Api, name: str) -> None:
    refused = await api.chat(name)
    assert refused.status_code == 400
    assert error_of(refused)["code"] == "model_not_available"


async def test_together_serves_some_models_itself(api: Api) -> None:
    assert (await api.chat("Qwen/Qwen2.5-7B-Instruct-Turbo")).status_code == 200


async def test_models_that_do_not_chat(api: Api, together: Simulator) -> None:
    embedding = await api.create(
        model="intfloat/multilingual-e5-large-instruct", hardware="1x_nvidia_h100_80gb_sxm"
    )
    language = await api.create(model="mistralai/Mixtral-8x7B-v0.1", hardware=HARDWARE)
    together.console.advance(UP)
    for endpoint in (embedding, language):
        assert error_of(await api.chat(endpoint["name"]))["code"] == "unsupported_model_type"
    completion = {"model": language["name"], "prompt": "Hello"}
    answer = (await api.http.post("/completions", json=completion)).json()
    assert language["name"] in answer["choices"][0]["text"]
    texts = {"model": embedding["name"], "input": ["one", "two", "one"]}
    vectors = (await api.http.post("/embeddings", json=texts)).json()["data"]
    assert vectors[0]["embedding"] == vectors[2]["embedding"] != vectors[1]["embedding"]


@pytest.mark.parametrize("messages", [[], None, "Hello", [{"content": "no role"}]])
async def test_a_malformed_chat(api: Api, together: Simulator, messages: object) -> None:
    endpoint = await api.create()
    together.console.advance(UP)
    body = {"model": endpoint["name"], "messages": messages}
    refused = await api.http.post("/chat/completions", json=body)
    assert refused.status_code == 400
    assert error_of(refused)["param"].startswith("messages")


async def test_unknown_options_are_ignored(api: Api, together: Simulator) -> None:
    endpoint = await api.create()
    together.console.advance(UP)
    body = {
        "model": endpoint["name"],
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 1,
        "some_option_of_tomorrow": {},
    }
    assert (await api.http.post("/chat/completions", json=body)).status_code == 200
