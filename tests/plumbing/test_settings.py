"""The settings: where values come from, what is refused, and how the refusal reads."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from together_operator import settings as module
from together_operator.flags import InvalidSettings, env_name, flag_name, flags
from together_operator.logs import LogFormat, LogLevel
from together_operator.resource.spec import Api
from together_operator.setting_kinds import OrphanPolicy
from together_operator.settings import (
    Probe,
    Settings,
    table,
)

KEY = "not-a-real-key"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in flags(Settings):
        monkeypatch.delenv(env_name(Settings, field), raising=False)
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    monkeypatch.setattr(module, "NAMESPACE_FILE", tmp_path / "namespace")


def problems(**given: object) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(given)
    return list(caught.value.problems)


def test_defaults() -> None:
    settings = Settings.load()
    assert settings.base_url == "https://api.together.ai/v1"
    assert (settings.poll_interval, settings.poll_interval_transition) == (30.0, 5.0)
    assert settings.drift_interval == 3600
    assert settings.namespaces == settings.default_key_namespaces == ()
    assert settings.operator_namespace == "together-operator"
    assert settings.cluster_id is settings.kubeconfig is settings.read_operator_key() is None
    assert (settings.workers, settings.time_scale) == (16, 1.0)
    assert (settings.health_port, settings.metrics_port) == (8080, 9090)
    assert (settings.first_api, settings.probe) == (Api.V1, Probe.REQUEST)
    assert (settings.log_format, settings.log_level) == (LogFormat.TEXT, LogLevel.INFO)
    assert settings.leader_elect is True
    assert settings.allowed_hardware == ()
    assert (settings.orphan_policy, settings.orphan_wait) == (OrphanPolicy.REPORT, 86400)
    assert settings.max_replicas is settings.max_price_per_hour is None


def test_every_setting_comes_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    given = {
        "kubeconfig": (str(file), file),
        "namespaces": ("ml, chat,,ml", ("ml", "chat")),
        "operator_namespace": ("ops", "ops"),
        "cluster_id": ("blue", "blue"),
        "base_url": ("http://127.0.0.1:8900/v1/", "http://127.0.0.1:8900/v1"),
        "ca_file": (str(file), file),
        "api_key_file": (str(file), file),
        "default_key_namespaces": ("ml", ("ml",)),
        "first_api": ("V2", Api.V2),
        "probe": ("State", Probe.STATE),
        "poll_interval": ("10", 10.0),
        "poll_interval_transition": ("0.5", 0.5),
        "drift_interval": ("60", 60.0),
        "time_scale": ("20", 20.0),
        "workers": ("4", 4),
        "allowed_hardware": ("1x_a,2x_b", ("1x_a", "2x_b")),
        "max_replicas": ("3", 3),
        "max_price_per_hour": ("12.50", Decimal("12.50")),
        "orphan_policy": ("Report", OrphanPolicy.REPORT),
        "orphan_wait": ("3600", 3600.0),
        "leader_elect": ("false", False),
        "health_port": ("0", 0),
        "metrics_port": ("0", 0),
        "log_format": ("json", LogFormat.JSON),
        "log_level": ("debug", LogLevel.DEBUG),
    }
    assert set(given) == set(flags(Settings)), "a new setting belongs into this test"
    for field, (text, _) in given.items():
        monkeypatch.setenv(env_name(Settings, field), text)
    settings = Settings.load()
    assert {field: getattr(settings, field) for field in given} == {
        field: value for field, (_, value) in given.items()
    }


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_OPERATOR_WORKERS", "4")
    assert Settings.load({"workers": None}).workers == 4
    assert Settings.load({"workers": "8"}).workers == 8


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_OPERATOR_CLUSTER_ID", "")
    monkeypatch.setenv("TOGETHER_OPERATOR_MAX_REPLICAS", "")
    assert Settings.load().cluster_id is None


def test_the_variables_kubernetes_sets_beside_a_service_of_our_name_do_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOGETHER_OPERATOR_METRICS_PORT", "tcp://10.0.0.7:9090")
    monkeypatch.setenv("TOGETHER_OPERATOR_PORT_8080_TCP_ADDR", "10.0.0.7")
    assert Settings.load().metrics_port == 9090


def test_the_operators_namespace_is_the_pods(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("platform\n")
    assert Settings.load().operator_namespace == "platform"
    assert Settings.load({"operator_namespace": "other"}).operator_namespace == "other"


def test_the_key_comes_from_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", f" {KEY}\n")
    assert Settings.load().read_operator_key() == KEY


def test_the_key_file_wins_and_is_read_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "another")
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    settings = Settings.load({"api_key_file": str(file)})
    for expected in (KEY, "rotated"):
        file.write_text(f"{expected}\n")
        assert settings.read_operator_key() == expected


def test_the_key_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", KEY)
    settings = Settings.load()
    assert KEY not in f"{settings} {settings!r} {settings.model_dump()} {settings.api_key!r}"
    assert KEY not in str(problems(workers="0"))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("kubeconfig", "missing-file", "cannot read missing-file: No such file"),
        ("namespaces", ["Team A"], "'Team A' is not a namespace"),
        ("operator_namespace", "-", "'-' is not a namespace"),
        ("default_key_namespaces", ["*"], "'*' is not a namespace"),
        ("cluster_id", "x" * 254, "at most 253 characters"),
        ("base_url", "api.together.ai/v1", "must be an http or https URL"),
        ("base_url", "https://user:pw@host/v1", "must have no user"),
        ("base_url", "https://host/v1?x=1", "must have no user, query"),
        ("base_url", "https://api.together.ai", "must end with /v1"),
        ("ca_file", "missing-file", "cannot read"),
        ("api_key_file", "missing-file", "cannot read"),
        ("first_api", "Auto", "must be V1 or V2"),
        ("probe", "state", "must be 'Request' or 'State', not 'state'"),
        ("poll_interval", "0", "must be greater than or equal to 0.05, not '0'"),
        ("poll_interval", "soon", "must be a valid number"),
        ("poll_interval_transition", "nan", "must be a finite number"),
        ("drift_interval", "0.5", "must be greater than or equal to 1"),
        ("time_scale", "0.5", "must be greater than or equal to 1"),
        ("workers", "0", "must be greater than or equal to 1"),
        ("max_replicas", "1.5", "must be a valid integer"),
        ("max_price_per_hour", "-3", "must be greater than 0"),
        ("max_price_per_hour", "inf", "must be a finite number"),
        ("orphan_policy", "Delete", "must be 'Report' or 'Stop', not 'Delete'"),
        ("orphan_wait", "60", "must be greater than or equal to 600"),
        ("leader_elect", "perhaps", "must be a valid boolean"),
        ("health_port", "70000", "must be less than or equal to 65535"),
        ("metrics_port", "http", "must be a valid integer"),
        ("log_format", "xml", "must be 'text' or 'json'"),
        ("log_level", "loud", "must be 'debug'"),
    ],
)
def test_a_bad_value_is_named_with_its_flag_and_variable(
    field: str, value: object, words: str
) -> None:
    (line,) = problems(**{field: value})
    prefix = f"{flag_name(Settings, field)} ({env_name(Settings, field)}): "
    assert line.startswith(prefix)
    assert words in line
    assert "\n" not in line


def test_a_bad_variable_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHER_OPERATOR_NAMESPACE", "UPPER")
    assert problems()[0].startswith("--namespace (TOGETHER_OPERATOR_NAMESPACE): 'UPPER'")


def test_all_bad_values_are_told_at_once() -> None:
    assert len(problems(workers="0", poll_interval="0", probe="?")) == 3


def test_orphans_are_not_stopped_where_their_owners_may_be_out_of_sight() -> None:
    assert Settings.load({"orphan_policy": "Stop"}).orphan_policy is OrphanPolicy.STOP
    (line,) = problems(orphan_policy="Stop", namespaces=["ml"])
    assert "--orphan-policy Stop cannot be used with --namespace" in line


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch()
    assert "is empty" in problems(api_key_file=str(file))[0]


def test_settings_that_contradict_each_other_are_refused() -> None:
    assert problems(poll_interval="2", poll_interval_transition="3") == [
        "--poll-interval-transition must not be longer than --poll-interval (2 s)"
    ]
    assert problems(health_port="9090") == [
        "--health-port and --metrics-port must not be the same port"
    ]
    assert problems(default_key_namespaces=["ml"]) == [
        "--default-key-namespaces needs the operator's own key: "
        "set TOGETHER_API_KEY or --api-key-file"
    ]


def test_a_short_poll_interval_shortens_the_default_of_the_transition() -> None:
    assert Settings.load({"poll_interval": "2"}).poll_interval_transition == 2.0


def test_both_ports_may_be_any_free_one() -> None:
    settings = Settings.load({"health_port": "0", "metrics_port": "0"})
    assert settings.health_port == settings.metrics_port == 0


def test_the_table_documents_every_setting() -> None:
    rows = table()
    assert len(rows) == len(flags(Settings)) + 1
    assert len(Settings.model_fields) == len(rows)
    assert all(row.env and row.default and row.meaning for row in rows)
    assert ("--poll-interval SECONDS", "TOGETHER_OPERATOR_POLL_INTERVAL", "30") in [
        row[:3] for row in rows
    ]
    assert rows[-1].env == "TOGETHER_API_KEY"
