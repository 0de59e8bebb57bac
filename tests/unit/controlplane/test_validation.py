"""What a function may not be configured to."""

from __future__ import annotations

import pytest

from lambdad.controlplane import validation
from lambdad.controlplane.configuration import ConfigurationChange, LoggingChange
from lambdad.domain.errors import ServiceException
from lambdad.testing.controlplane import FakeRuntimes


def check(change: ConfigurationChange) -> None:
    validation.check_configuration(change)
    if change.runtime is not None:
        validation.check_runtime(change.runtime, FakeRuntimes())


def refusal(**members: object) -> tuple[str, str]:
    with pytest.raises(ServiceException) as caught:
        check(ConfigurationChange(**members))  # type: ignore[arg-type]
    return caught.value.code, caught.value.message


def test_environment_is_measured_as_json_in_bytes() -> None:
    # {"KEY":"..."} adds ten bytes.
    validation.check_environment({"KEY": "x" * 4086})
    code, message = refusal(environment={"KEY": "x" * 4087})
    assert code == "InvalidParameterValueException"
    assert message == (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: "
        '{"KEY":"' + "x" * 4087 + '"}'
    )
    assert "4KB limit" in refusal(environment={"KEY": "ä" * 2044})[1]


def test_reserved_keys_are_named_in_the_refusal() -> None:
    code, message = refusal(environment={"A1": "x", "AWS_REGION": "x", "_HANDLER": "y"})
    assert code == "InvalidParameterValueException"
    assert message == (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        "modification. Reserved keys used in this request: AWS_REGION, _HANDLER"
    )


def test_an_unknown_runtime_is_refused_with_those_that_can_be_had() -> None:
    assert refusal(runtime="cobol85") == (
        "InvalidParameterValueException",
        (
            "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            "value set: [python3.12, nodejs22.x] or be a valid ARN"
        ),
    )


def test_a_retired_runtime_is_refused_as_no_longer_supported() -> None:
    assert refusal(runtime="nodejs12.x") == (
        "InvalidParameterValueException",
        (
            "The runtime parameter of nodejs12.x is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        ),
    )


def test_a_retired_runtime_that_the_host_serves_is_accepted() -> None:
    class Old(FakeRuntimes):
        def known(self, identifier: str) -> bool:
            return identifier == "nodejs12.x"

    validation.check_runtime("nodejs12.x", Old())


def test_a_runtime_that_the_host_lacks_is_refused_with_cause_and_remedy() -> None:
    assert refusal(runtime="nodejs22.x") == (
        "InvalidParameterValueException",
        (
            "The runtime nodejs22.x is not available on this host. No Node.js 22 was found: "
            "install it and restart lambdad."
        ),
    )


def test_ranges_of_ordinary_functions_hold_below_those_of_the_model() -> None:
    assert refusal(timeout_s=901) == (
        "ValidationException",
        (
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900"
        ),
    )
    code, message = refusal(memory_mb=10241, ephemeral_storage_mb=10241)
    assert code == "ValidationException"
    assert message == (
        "2 validation errors detected: Value '10241' at 'memorySize' failed to satisfy constraint: "
        "Member must have value less than or equal to 10240; Value '10241' at "
        "'ephemeralStorage.size' failed to satisfy constraint: Member must have value less than or "
        "equal to 10240"
    )


def test_text_logs_have_no_levels() -> None:
    code, _ = refusal(logging=LoggingChange(log_format="Text", system_log_level="INFO"))
    assert code == "InvalidParameterValueException"
