"""What the operator can be told at its start: every setting with its default, unit and bounds.

The command line, the environment, the help text, the table in the README and the chart all derive
from the one class here, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AliasChoices,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from together_operator.flags import Flag, InvalidSettings, Row, rows
from together_operator.logs import LogFormat, LogLevel
from together_operator.resource.spec import Api
from together_operator.setting_kinds import (
    ApiKey,
    BaseUrl,
    FirstApi,
    Namespace,
    Namespaces,
    OrphanPolicy,
    Port,
    Probe,
    ReadableFile,
    Seconds,
    Words,
)

__all__ = ["API_KEY_VARIABLE", "NAMESPACE_FILE", "PREFIX", "Probe", "Settings", "table"]

PREFIX: Final = "TOGETHER_OPERATOR_"
API_KEY_VARIABLE: Final = "TOGETHER_API_KEY"
NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where Kubernetes tells a pod its own namespace."""


def _own_namespace() -> str:
    try:
        return NAMESPACE_FILE.read_text(encoding="utf-8").strip() or "together-operator"
    except OSError:
        return "together-operator"


class Settings(BaseSettings):
    """Everything `together-operator run` can be told.

    A value given to the constructor (the command line) wins over the environment, and that over
    the default. An empty environment variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        validate_default=True,
    )

    kubeconfig: Annotated[
        ReadableFile | None,
        Flag(
            "Kubeconfig of the cluster.",
            "PATH",
            default="the pod's service account, else KUBECONFIG, else ~/.kube/config",
            panel="Cluster",
        ),
    ] = None
    namespaces: Annotated[
        Namespaces,
        Flag(
            "Namespace whose TogetherEndpoints are served; repeat for several.",
            "NS",
            name="namespace",
            default="the whole cluster",
            panel="Cluster",
        ),
        Field(validation_alias=AliasChoices(f"{PREFIX}NAMESPACE")),
    ] = ()
    operator_namespace: Annotated[
        Namespace,
        Flag(
            "Namespace of the operator's own objects, among them the copies of keys in use.",
            "NS",
            default="the pod's own, else together-operator",
            panel="Cluster",
        ),
        Field(default_factory=_own_namespace),
    ]
    cluster_id: Annotated[
        str | None,
        Flag(
            "Name of this cluster, unique among the clusters that share a Together account. "
            "Set it once: a later change is refused.",
            "ID",
            default="the uid of the namespace kube-system",
            panel="Cluster",
        ),
        Field(min_length=1, max_length=253),
    ] = None
    base_url: Annotated[
        BaseUrl,
        Flag(
            "Together's API, with the version: …/v1. The v2 API is its sibling.",
            "URL",
            panel="Together",
        ),
    ] = "https://api.together.ai/v1"
    ca_file: Annotated[
        ReadableFile | None,
        Flag(
            "File with the certificate authorities (PEM) that Together's API is checked against.",
            "PATH",
            default="those of the system",
            panel="Together",
        ),
    ] = None
    api_key_file: Annotated[
        ReadableFile | None,
        Flag(
            f"File with the operator's own Together API key; wins over {API_KEY_VARIABLE} and is "
            "read again when it changes.",
            "PATH",
            default="none",
            panel="Together",
        ),
    ] = None
    default_key_namespaces: Annotated[
        Namespaces,
        Flag(
            "Namespace whose resources may use the operator's own key; repeat for several.",
            "NS",
            default="none",
            panel="Together",
        ),
    ] = ()
    first_api: Annotated[
        FirstApi,
        Flag(
            "The generation of the API that `api: Auto` tries first: V1, and V2 where Together has "
            "closed it; or V2 alone.",
            "API",
            panel="Together",
        ),
    ] = Api.V1
    probe: Annotated[
        Probe,
        Flag(
            "How it is found out that an endpoint answers: Request sends one minimal inference "
            "request after each start, State trusts the state that Together reports.",
            "HOW",
            panel="Together",
        ),
    ] = Probe.REQUEST
    poll_interval: Annotated[
        Seconds,
        Flag(
            "Seconds between two looks at Together while nothing changes.", "SECONDS", panel="Pace"
        ),
    ] = 30.0
    poll_interval_transition: Annotated[
        Seconds,
        Flag(
            "Seconds between two looks while an endpoint starts, stops or scales.",
            "SECONDS",
            panel="Pace",
        ),
    ] = 5.0
    drift_interval: Annotated[
        FiniteFloat,
        Flag(
            "Seconds between two comparisons of an endpoint's name and bounds.",
            "SECONDS",
            panel="Pace",
        ),
        Field(ge=1),
    ] = 3600.0
    time_scale: Annotated[
        FiniteFloat,
        Flag(
            "Divides the waits of the create protocol; for tests and demos only.",
            "FACTOR",
            panel="Pace",
        ),
        Field(ge=1, le=1000),
    ] = 1.0
    workers: Annotated[
        int,
        Flag("How many resources are worked on at the same time.", "N", panel="Pace"),
        Field(ge=1, le=256),
    ] = 16
    allowed_hardware: Annotated[
        Words,
        Flag(
            "Hardware that may be bought; repeat for several. Anything else is refused.",
            "ID",
            default="all",
            panel="Limits",
        ),
    ] = ()
    max_replicas: Annotated[
        int | None,
        Flag(
            "Largest `maxReplicas` that a resource may ask for.",
            "N",
            default="no limit",
            panel="Limits",
        ),
        Field(ge=1),
    ] = None
    max_price_per_hour: Annotated[
        Decimal | None,
        Flag(
            "Largest price of a resource in US dollars per hour, at `maxReplicas`. An unknown "
            "price is refused.",
            "USD",
            default="no limit",
            panel="Limits",
        ),
        Field(gt=0),
    ] = None
    orphan_policy: Annotated[
        OrphanPolicy,
        Flag(
            "What is done about an endpoint with this cluster's mark whose resource is gone: "
            "Report, or Stop after --orphan-wait. Nothing is ever deleted. Stop needs the whole "
            "cluster to be served.",
            "POLICY",
            panel="Limits",
        ),
    ] = OrphanPolicy.REPORT
    orphan_wait: Annotated[
        FiniteFloat,
        Flag(
            "Seconds for which this process must have seen an endpoint without an owner before "
            "it stops it: time to restore a backup.",
            "SECONDS",
            panel="Limits",
        ),
        Field(ge=600),
    ] = 86400.0
    leader_elect: Annotated[
        bool,
        Flag(
            "Only the operator that holds a Lease in the operator's namespace works, others stand "
            "by. Without it, see to it that never more than one runs.",
            panel="Availability",
        ),
    ] = True
    health_port: Annotated[
        Port,
        Flag(
            "Port of /healthz and /readyz; 0 takes a free local one and logs it.",
            "PORT",
            panel="Health and logs",
        ),
    ] = 8080
    metrics_port: Annotated[
        Port,
        Flag(
            "Port of /metrics; 0 takes a free local one and logs it.",
            "PORT",
            panel="Health and logs",
        ),
    ] = 9090
    log_format: Annotated[
        LogFormat, Flag("How log lines look: text or json.", "FORMAT", panel="Health and logs")
    ] = LogFormat.TEXT
    log_level: Annotated[
        LogLevel,
        Flag(
            "The least important lines logged: debug, info, warning or error.",
            "LEVEL",
            panel="Health and logs",
        ),
    ] = LogLevel.INFO
    api_key: Annotated[
        ApiKey | None, Field(validation_alias=AliasChoices(API_KEY_VARIABLE), repr=False)
    ] = None

    @classmethod
    def load(cls, given: Mapping[str, Any] | None = None) -> Self:
        """Read the settings.

        Args:
            given: Values from the command line by field name; None means not given.

        Raises:
            InvalidSettings: One or more are wrong; it names each with its flag.
        """
        values = {name: value for name, value in (given or {}).items() if value not in (None, ())}
        try:
            return cls(**values)
        except ValidationError as error:
            raise InvalidSettings(cls, error.errors()) from None

    def read_operator_key(self) -> str | None:
        """Read the operator's own Together API key, from its file each time; None if there is none.

        Raises:
            OSError: The file cannot be read any more.
        """
        if self.api_key_file is None:
            return self.api_key.get_secret_value() if self.api_key is not None else None
        return self.api_key_file.read_text(encoding="utf-8").strip() or None

    @field_validator("health_port", "metrics_port", mode="before")
    @classmethod
    def _not_a_service_link(cls, value: Any, info: ValidationInfo) -> Any:
        # Beside a Service called `together-operator-metrics`, Kubernetes itself sets
        # TOGETHER_OPERATOR_METRICS_PORT=tcp://… in every pod of the namespace.
        if isinstance(value, str) and "://" in value and info.field_name is not None:
            return cls.model_fields[info.field_name].default
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.poll_interval_transition > self.poll_interval:
            if "poll_interval_transition" in self.model_fields_set:
                raise ValueError(
                    "--poll-interval-transition must not be longer than --poll-interval "
                    f"({self.poll_interval:g} s)"
                )
            object.__setattr__(self, "poll_interval_transition", self.poll_interval)
        if self.health_port == self.metrics_port != 0:
            raise ValueError("--health-port and --metrics-port must not be the same port")
        if self.default_key_namespaces and not (self.api_key or self.api_key_file):
            raise ValueError(
                "--default-key-namespaces needs the operator's own key: set "
                f"{API_KEY_VARIABLE} or --api-key-file"
            )
        if self.namespaces and self.orphan_policy is OrphanPolicy.STOP:
            raise ValueError(
                "--orphan-policy Stop cannot be used with --namespace: an owner may live in a"
                " namespace that is not served. Leave it at Report"
            )
        return self


def table() -> list[Row]:
    """The documentation of every setting, one row each."""
    key = "The operator's own Together API key; it has no flag: process lists would show it."
    return [*rows(Settings), Row("", API_KEY_VARIABLE, "none", key)]
