"""Together's API as typed calls whose results cannot be mistaken for one another."""

from together_operator.together._credential import Credential, InvalidKey
from together_operator.together._errors import Kind
from together_operator.together._retry import Backoff
from together_operator.together._schema import (
    CreateEndpoint,
    DedicatedEndpoint,
    EndpointList,
    HardwareList,
    ReplicaBounds,
    UpdateEndpoint,
)
from together_operator.together._v1 import V1Client
from together_operator.together._wire import (
    ConfigurationError,
    Fence,
    Observer,
    Timeouts,
    Wire,
)

__all__ = [
    "Backoff",
    "ConfigurationError",
    "CreateEndpoint",
    "Credential",
    "DedicatedEndpoint",
    "EndpointList",
    "Fence",
    "HardwareList",
    "InvalidKey",
    "Kind",
    "Observer",
    "ReplicaBounds",
    "Timeouts",
    "UpdateEndpoint",
    "V1Client",
    "Wire",
]
