"""A plain client of API v2, so that tests see the wire and no library's opinion."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from together_local.simulator import Simulator
from together_local.simulator.v2.console import NewModel

MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2xnvidia-h100-80gb"
#: Simulated seconds until a new deployment is READY, with the default assumptions.
UP = 10 + 120
#: Simulated seconds until routers follow a new traffic split.
ROUTED = 20

READY = "DEPLOYMENT_STATE_READY"
PROVISIONING = "DEPLOYMENT_STATE_PROVISIONING"
SCALING = "DEPLOYMENT_STATE_SCALING"
DEGRADED = "DEPLOYMENT_STATE_DEGRADED"
STOPPING = "DEPLOYMENT_STATE_STOPPING"
STOPPED = "DEPLOYMENT_STATE_STOPPED"
FAILED = "DEPLOYMENT_STATE_FAILED"


class ApiV2:
    """Sends requests with a key to one project; a context manager.

    Args:
        url: The simulator's root.
        key: The key.
    """

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"})
        self._project = ""

    async def __aenter__(self) -> Self:
        whoami = await self.http.get("/v3/whoami")
        found = (await self.http.get("/v1/projects")).json()["data"]
        assert whoami.status_code == 200, whoami.text
        self._project = found[0]["id"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    @property
    def project(self) -> str:
        """The project's id."""
        return self._project

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """Send a request below the project."""
        url = f"/v2/projects/{self._project}{path}"
        return await self.http.request(method, url, json=body, params=query)

    async def ok(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """Send a request below the project, which must succeed."""
        response = await self.ask(method, path, body, **query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def refused(
        self, method: str, path: str, body: Any = None, **query: Any
    ) -> tuple[int, str]:
        """Send a request below the project, which must fail; return status and message."""
        response = await self.ask(method, path, body, **query)
        assert response.is_error, response.text
        return response.status_code, str(response.json()["error"]["message"])

    async def profile(self, model: str = MODEL, hardware: str = HARDWARE) -> dict[str, Any]:
        """Return the first deployment profile of a public model on some hardware."""
        found = await self.http.get("/v2/supported-models", params={"search": model})
        (entry,) = [one for one in found.json()["data"] if one["name"] == model]
        count, _, accelerator = hardware.partition("x")
        return next(
            dict(one)
            for one in entry["deploymentProfiles"]
            if (str(one["gpuCount"]), one["gpuType"]) == (count, accelerator)
        )

    async def endpoint(self, name: str = "mixtral") -> dict[str, Any]:
        """Create an endpoint, which must succeed."""
        return await self.ok("POST", "/endpoints", {"name": name})

    async def body(self, of: str = MODEL, on: str = HARDWARE, **changes: Any) -> dict[str, Any]:
        """Return a legal create body of a model on hardware, with changes; None leaves one out."""
        profile = await self.profile(of, on)
        body = {
            "name": "first",
            "model": profile["model"],
            "config": profile["config"],
            "autoscaling": {"minReplicas": 1, "maxReplicas": 2},
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    async def deploy(
        self, endpoint: dict[str, Any] | None = None, **changes: Any
    ) -> dict[str, Any]:
        """Create a deployment, on a new endpoint unless one is given; it must succeed."""
        into = endpoint or await self.endpoint()
        body = await self.body(**changes)
        return await self.ok("POST", f"/endpoints/{into['id']}/deployments", body)

    async def running(self, **changes: Any) -> dict[str, Any]:
        """Create a deployment on a new endpoint and route all traffic to it."""
        deployment = await self.deploy(**changes)
        await self.route(deployment["endpointId"], {deployment["id"]: 1})
        return deployment

    async def route(self, endpoint_id: str, weights: dict[str, float]) -> dict[str, Any]:
        """Replace the traffic split."""
        split = [{"deploymentId": one, "weight": weight} for one, weight in weights.items()]
        path = f"/endpoints/{endpoint_id}"
        return await self.ok("PATCH", path, {"trafficSplit": split}, updateMask="trafficSplit")

    async def scale(self, deployment: dict[str, Any], low: int, high: int) -> dict[str, Any]:
        """Set both bounds."""
        body = {"autoscaling": {"minReplicas": low, "maxReplicas": high}}
        return await self.ok("PATCH", path_of(deployment), body, updateMask="autoscaling")

    async def get(self, deployment: dict[str, Any]) -> dict[str, Any]:
        """Return a deployment as it is now."""
        return await self.ok("GET", path_of(deployment))

    async def state(self, deployment: dict[str, Any]) -> str:
        """Return a deployment's state."""
        return str((await self.get(deployment))["status"]["state"])

    async def listed(self, path: str = "/endpoints", **query: Any) -> list[str]:
        """Return the ids of a list."""
        return [one["id"] for one in (await self.ok("GET", path, **query))["data"]]

    async def chat(self, name: str, **more: Any) -> httpx.Response:
        """Ask a model something."""
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": name, "messages": messages, **more}
        return await self.http.post("/v1/chat/completions", json=body)

    async def chat_code(self, name: str) -> str:
        """Ask a model something and return the refusal's code, or ``ok``."""
        response = await self.chat(name)
        return "ok" if response.is_success else str(response.json()["error"]["code"])


def path_of(deployment: dict[str, Any]) -> str:
    """Return a deployment's path below its project."""
    return f"/endpoints/{deployment['endpointId']}/deployments/{deployment['id']}"


def own_model(together: Simulator, **more: Any) -> dict[str, Any]:
    """Give the default project a fine-tuned model."""
    return together.console.add_model(NewModel(name="tuned", base_model=MODEL, **more))
