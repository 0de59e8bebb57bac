"""How a configuration begins and changes."""

from __future__ import annotations

from datetime import UTC, datetime

from lambdad.controlplane import configuration
from lambdad.controlplane.configuration import ConfigurationChange, LoggingChange
from lambdad.domain.functions import LoggingConfig, State, UpdateStatus
from lambdad.testing.functions import FUNCTION_KEY, a_function

NOW = datetime(2025, 11, 24, 22, 54, 31, 123000, UTC)


def test_a_new_function_has_aws_defaults() -> None:
    function = configuration.initial(
        FUNCTION_KEY,
        ConfigurationChange(role="r", runtime="python3.12", handler="app.handler"),
        code=a_function().code,
        architectures=("x86_64",),
        tags={},
        now=NOW,
    )
    assert (function.timeout_s, function.memory_mb, function.ephemeral_storage_mb) == (3, 128, 512)
    assert (function.description, function.environment, function.tracing_mode) == (
        "",
        None,
        "PassThrough",
    )
    assert function.logging == LoggingConfig(log_group="/aws/lambda/f", log_format="Text")
    assert function.last_modified == "2025-11-24T22:54:31.123+0000"
    status = function.status
    assert (status.state, status.state_reason, status.state_reason_code, status.last_update) == (
        State.PENDING,
        "The function is being created.",
        "Creating",
        None,
    )


def test_an_update_keeps_what_it_does_not_name() -> None:
    before = a_function(
        timeout_s=9, environment={"A1": "x"}, description="d", echoed={"KMSKeyArn": "k", "Z": 1}
    )
    after = configuration.reconfigured(
        before, ConfigurationChange(memory_mb=256, echoed={"KMSKeyArn": None}), now=NOW
    )
    assert (after.memory_mb, after.timeout_s, after.environment, after.description) == (
        256,
        9,
        {"A1": "x"},
        "d",
    )
    assert after.echoed == {"Z": 1}
    assert after.revision_id != before.revision_id


def test_even_an_update_without_change_is_in_progress_with_the_reason_of_a_creation() -> None:
    after = configuration.reconfigured(a_function(), ConfigurationChange(), now=NOW)
    status = after.status
    assert (status.state, status.last_update) == (State.ACTIVE, UpdateStatus.IN_PROGRESS)
    assert status.last_update_reason == "The function is being created."
    assert status.last_update_reason_code == "Creating"
    assert configuration.is_unfinished(after)
    assert not configuration.is_unfinished(configuration.in_service(after, {}))


def test_values_can_be_emptied() -> None:
    before = a_function(environment={"A1": "x"}, description="d")
    after = configuration.reconfigured(
        before, ConfigurationChange(environment={}, description=""), now=NOW
    )
    assert (after.environment, after.description) == ({}, "")


def test_json_logs_have_levels_and_text_logs_lose_them() -> None:
    as_json = configuration.reconfigured(
        a_function(),
        ConfigurationChange(logging=LoggingChange(log_format="JSON", system_log_level="WARN")),
        now=NOW,
    )
    assert as_json.logging == LoggingConfig(
        log_group="/aws/lambda/f",
        log_format="JSON",
        application_log_level="INFO",
        system_log_level="WARN",
    )
    as_text = configuration.reconfigured(
        as_json, ConfigurationChange(logging=LoggingChange(log_format="Text")), now=NOW
    )
    assert as_text.logging == LoggingConfig(log_group="/aws/lambda/f", log_format="Text")


def test_a_failed_creation_and_a_failed_update_leave_different_states() -> None:
    pending = configuration.initial(
        FUNCTION_KEY,
        ConfigurationChange(),
        code=a_function().code,
        architectures=("x86_64",),
        tags={},
        now=NOW,
    )
    assert configuration.failed(pending, reason="r", code="c").status.state is State.FAILED
    updating = configuration.reconfigured(a_function(), ConfigurationChange(), now=NOW)
    status = configuration.failed(updating, reason="r", code="c").status
    assert (status.state, status.last_update) == (State.ACTIVE, UpdateStatus.FAILED)
