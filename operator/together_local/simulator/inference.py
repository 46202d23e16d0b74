"""Inference, answered by the endpoint that the request names.

Why: an endpoint is of use only when it answers, and STARTED does not promise that.
The answers are OpenAI-shaped and name the endpoint, so that a test sees which one
served it; the refusals carry the codes that Together's clients have met.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from together_local.simulator.bodies_v1 import (
    ChatBody,
    CompletionBody,
    EmbeddingBody,
    InferenceBody,
    parse,
)
from together_local.simulator.catalogue import MODELS, Model, ModelType
from together_local.simulator.endpoint import Endpoint
from together_local.simulator.errors import ApiError
from together_local.simulator.faults import Operation
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.endpoint import Endpoint as EndpointV2
from together_local.simulator.v2.routing import addressed
from together_local.simulator.world import World

_DIMENSIONS = 16


class Inference:
    """Chat, completions and embeddings.

    Args:
        world: Where the endpoints are.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", "/v1/chat/completions", Operation.INFER, self.chat),
            Route("POST", "/v1/completions", Operation.INFER, self.complete),
            Route("POST", "/v1/embeddings", Operation.INFER, self.embed),
        ]

    def chat(self, call: Call) -> Reply:
        """POST /v1/chat/completions, streaming or not."""
        body = parse(ChatBody, call.json(), self._world.site.assumptions)
        server = self._server(call, body, {ModelType.CHAT})
        text = f"This is {server}. You said: {_text(body.messages[-1].content)}"
        head = self._head(body.model)
        if body.stream:
            return _stream(
                {**head, "object": "chat.completion.chunk"},
                [
                    {"delta": {"role": "assistant", "content": word}, "finish_reason": None}
                    for word in text.split(" ")
                ]
                + [{"delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
            )
        said = " ".join(_text(message.content) for message in body.messages)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": None,
            "finish_reason": "stop",
        }
        answer = {**head, "object": "chat.completion", "prompt": [], "choices": [choice]}
        return Reply(200, {**answer, "usage": _usage(said, text)})

    def complete(self, call: Call) -> Reply:
        """POST /v1/completions."""
        body = parse(CompletionBody, call.json(), self._world.site.assumptions)
        server = self._server(call, body, {ModelType.CHAT, ModelType.LANGUAGE})
        prompt = _text(body.prompt)
        text = f"This is {server}."
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
        answer = {
            **self._head(body.model),
            # Together's own word; OpenAI's would be text_completion.
            "object": "text.completion",
            "prompt": [],
            "choices": [choice],
            "usage": _usage(prompt, text),
        }
        return Reply(200, answer)

    def embed(self, call: Call) -> Reply:
        """POST /v1/embeddings; the same text has the same vector."""
        body = parse(EmbeddingBody, call.json(), self._world.site.assumptions)
        self._server(call, body, {ModelType.EMBEDDING})
        texts = [body.input] if isinstance(body.input, str) else body.input
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(text)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return Reply(200, {"object": "list", "model": body.model, "data": data, "usage": usage})

    def _server(self, call: Call, body: InferenceBody, answers: set[ModelType]) -> str:
        """Find who serves the request and return its name and id in words."""
        endpoint = self._world.endpoints.named(body.model, call.caller.project)
        if endpoint is not None:
            return self._dedicated(endpoint, answers)
        # Documented of v2: requests stick to a deployment by key, else user, else content.
        affinity = body.prompt_cache_key or body.user or call.raw.decode(errors="replace")
        world, project = self._world, call.caller.project
        routed = addressed(world.endpoints_v2, world.site, body.model, project, affinity)
        if routed is not None:
            return self._deployed(*routed, answers)
        model = MODELS.get(body.model)
        if model is not None and model.serverless:
            _check_type(model, answers)
            return f"{model.id}, serverless"
        reason = "non-serverless model" if model is not None else "model"
        raise ApiError(
            400,
            f"Unable to access {reason} {body.model}. Create a dedicated endpoint for it, or "
            "check the name",
            code="model_not_available",
            param="model",
            with_id=True,
        )

    def _dedicated(self, endpoint: Endpoint, answers: set[ModelType]) -> str:
        site = self._world.site
        flaps = site.assumptions.not_running_share
        if not endpoint.serving or (flaps > 0 and site.chance.random() < flaps):
            raise ApiError(
                400,
                f"The dedicated endpoint {endpoint.name} is not running",
                code="dedicated_endpoint_not_running",
                param="model",
                with_id=True,
            )
        if site.assumptions.refused_requests_are_activity:
            endpoint.touch()
        _check_type(endpoint.spec.model, answers)
        endpoint.touch()
        return f"{endpoint.name} ({endpoint.id}) on {endpoint.spec.hardware.id}"

    def _deployed(
        self, endpoint: EndpointV2, deployment: Deployment, answers: set[ModelType]
    ) -> str:
        spec = deployment.spec
        if self._world.site.assumptions.refused_requests_are_activity:
            deployment.touch()
        _check_type(spec.weights.model, answers)
        deployment.touch()
        name, hardware = endpoint.called(deployment), spec.config.instance.name
        return f"{name} ({deployment.id}) on {hardware}"

    def _head(self, model: str) -> dict[str, Any]:
        site = self._world.site
        return {
            "id": f"chatcmpl-{site.new_request_id()}",
            "created": int(site.timeline.now),
            "model": model,
        }


def _check_type(model: Model, answers: set[ModelType]) -> None:
    if model.type not in answers:
        raise ApiError(
            400,
            f"{model.id} is a model of type {model.type.value} and does not answer this request",
            code="unsupported_model_type",
            param="model",
            with_id=True,
        )


def _stream(head: dict[str, Any], choices: list[dict[str, Any]]) -> Reply:
    chunks = [{**head, "choices": [{"index": 0, **choice}]} for choice in choices]
    return Reply(200, events=[json.dumps(chunk) for chunk in chunks] + ["[DONE]"])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text", "") if isinstance(part, dict) else str(part) for part in content)
        return " ".join(str(part) for part in parts)
    return "" if content is None else str(content)


def _usage(prompt: str, completion: str) -> dict[str, int]:
    sent, returned = len(prompt.split()), len(completion.split())
    return {
        "prompt_tokens": sent,
        "completion_tokens": returned,
        "total_tokens": sent + returned,
    }


def _vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()[:_DIMENSIONS]
    return [byte / 255 for byte in digest]
