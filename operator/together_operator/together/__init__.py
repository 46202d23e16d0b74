"""Together's API as typed calls whose results cannot be mistaken for one another."""

from together_operator.together._credential import Credential, InvalidKey
from together_operator.together._errors import NOT_CONFIGURED_CODE, Kind
from together_operator.together._retry import Backoff
from together_operator.together._schema import (
    CreateEndpoint,
    DedicatedEndpoint,
    EndpointList,
    HardwareList,
    ReplicaBounds,
    UpdateEndpoint,
)
from together_operator.together._schema_v2 import (
    Deployment,
    DeploymentSummary,
    Event,
    RoutedEndpoint,
    SplitEntry,
)
from together_operator.together._schema_v2_catalogue import (
    Config,
    InstanceType,
    PlacementProfile,
    Profile,
    Project,
    ProjectModel,
    Revision,
    SupportedModel,
    WhoAmI,
)
from together_operator.together._schema_v2_requests import (
    CompliancePolicy,
    CreateDeployment,
    CreateRoutedEndpoint,
    InlinePlacement,
    Placement,
    ReplicaBoundsV2,
    UpdateDeployment,
    UpdateRoutedEndpoint,
    Weight,
)
from together_operator.together._v1 import V1Client
from together_operator.together._v2 import V2Client
from together_operator.together._v2_catalogue import V2Catalogue
from together_operator.together._wire import (
    ConfigurationError,
    Fence,
    Observer,
    Timeouts,
    Wire,
)

__all__ = [
    "NOT_CONFIGURED_CODE",
    "Backoff",
    "CompliancePolicy",
    "Config",
    "ConfigurationError",
    "CreateDeployment",
    "CreateEndpoint",
    "CreateRoutedEndpoint",
    "Credential",
    "DedicatedEndpoint",
    "Deployment",
    "DeploymentSummary",
    "EndpointList",
    "Event",
    "Fence",
    "HardwareList",
    "InlinePlacement",
    "InstanceType",
    "InvalidKey",
    "Kind",
    "Observer",
    "Placement",
    "PlacementProfile",
    "Profile",
    "Project",
    "ProjectModel",
    "ReplicaBounds",
    "ReplicaBoundsV2",
    "Revision",
    "RoutedEndpoint",
    "SplitEntry",
    "SupportedModel",
    "Timeouts",
    "UpdateDeployment",
    "UpdateEndpoint",
    "UpdateRoutedEndpoint",
    "V1Client",
    "V2Catalogue",
    "V2Client",
    "Weight",
    "WhoAmI",
    "Wire",
]
