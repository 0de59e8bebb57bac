"""The complete environment of a runtime process, as AWS sets it.

Decides names and values; starts nothing. Values are those the AWS developer guide lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambdad.domain.environments import LANGUAGE_DIR, LAYER_ROOT, RUNTIME_DIR, TASK_ROOT
from lambdad.domain.functions import Function
from lambdad.domain.runtimes import RESERVED_KEYS
from lambdad.runtimes.base import Runtime

ASSIGNMENT_VARIABLE = "_LAMBDAD_ASSIGNMENT_FD"
"""Tells a runtime that is started ahead where its variables will come from."""

_XRAY_HOST = "169.254.100.1"
_XRAY_PORT = "2000"


def environment_of(
    runtime: Runtime,
    function: Function,
    *,
    runtime_api: str,
    endpoint_url: str | None,
    log_stream: str,
    credentials: Mapping[str, str],
    initialization_type: str,
    guest_path: Callable[[str], str] = str,
) -> dict[str, str]:
    """Return every variable of a runtime process.

    Args:
        runtime: what runs; its own variables override the common ones.
        function: whose variables override both, but for the reserved ones.
        runtime_api: `host:port` as the guest reaches it.
        endpoint_url: lambdad's AWS endpoint as the guest reaches it; `AWS_ENDPOINT_URL` unless
            the function sets that itself.
        log_stream: name of the environment's log stream.
        credentials: `AWS_ACCESS_KEY_ID` and its like.
        initialization_type: `on-demand`, `provisioned-concurrency` or `snap-start`.
        guest_path: where a guest path is; differs from it only when nothing isolates the guest.
    """
    # An image says itself where its programs and libraries are.
    environment = {} if runtime.root is not None else _paths(runtime, guest_path)
    environment.update(
        LANG="en_US.UTF-8",
        TZ=":UTC",
        AWS_XRAY_CONTEXT_MISSING="LOG_ERROR",
        AWS_XRAY_DAEMON_ADDRESS=f"{_XRAY_HOST}:{_XRAY_PORT}",
        _AWS_XRAY_DAEMON_ADDRESS=_XRAY_HOST,
        _AWS_XRAY_DAEMON_PORT=_XRAY_PORT,
    )
    environment.update({key: _moved(v, guest_path) for key, v in runtime.environment.items()})
    if endpoint_url is not None:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    own = function.environment or {}
    environment.update({key: own[key] for key in own if key not in RESERVED_KEYS})
    environment.update(_identity(runtime, function, guest_path))
    environment.update(
        AWS_LAMBDA_RUNTIME_API=runtime_api,
        AWS_LAMBDA_LOG_STREAM_NAME=log_stream,
        AWS_LAMBDA_INITIALIZATION_TYPE=initialization_type,
    )
    environment.update(_logging(function))
    environment.update(credentials)
    return environment


def at_start(own: Mapping[str, str], memory_mb: int | None = None) -> dict[str, str]:
    """Return what a managed runtime is started with before there is a function.

    `own` are the runtime's variables, `memory_mb` the size of the functions to come, for one that
    must know it. Variables that follow with the function must not have been needed before: see
    :func:`can_follow`.
    """
    variables = _paths_of(language=True, guest_path=str)
    variables.update(LANG="en_US.UTF-8", TZ=":UTC", LAMBDA_RUNTIME_DIR=RUNTIME_DIR)
    if memory_mb is not None:
        variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(memory_mb)
    return {**variables, **own}


# What loaders, C libraries and interpreters read at their start.
_READ_AT_START = (
    *("PYTHON", "NODE_", "JAVA_", "_JAVA", "JDK_", "RUBY", "LD_", "LC_", "LANG"),
    *("MALLOC_", "GLIBC_", "DOTNET_", "COMPlus_", "CORECLR_", "COREHOST_", "OPENSSL_", "UV_"),
    *("GEM_", "BUNDLE_", "V8_", "AWS_LAMBDA_JAVA_"),
)
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


def can_follow(environment: Mapping[str, str] | None) -> bool:
    """Whether a function's variables may reach a runtime that has been started already."""
    return not any(
        name.startswith(_READ_AT_START) or name == _WRAPPER for name in environment or {}
    )


# AWS: what extensions do not get, besides every variable that begins with an underscore.
_NOT_FOR_EXTENSIONS = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


def for_extensions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what extensions get of the variables of a runtime process."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("_") and name not in _NOT_FOR_EXTENSIONS
    }


def _paths(runtime: Runtime, guest_path: Callable[[str], str]) -> dict[str, str]:
    # AWS: runtimes that the function brings have no language directory on their paths.
    return _paths_of(language=not runtime.entrypoints, guest_path=guest_path)


def _paths_of(*, language: bool, guest_path: Callable[[str], str]) -> dict[str, str]:
    programs = ["/usr/local/bin", "/usr/bin/", "/bin", guest_path(f"{LAYER_ROOT}/bin")]
    libraries = [
        "/lib64",
        "/usr/lib64",
        guest_path(RUNTIME_DIR),
        guest_path(f"{RUNTIME_DIR}/lib"),
        guest_path(TASK_ROOT),
        guest_path(f"{TASK_ROOT}/lib"),
        guest_path(f"{LAYER_ROOT}/lib"),
    ]
    if language:
        programs.insert(0, guest_path(f"{LANGUAGE_DIR}/bin"))
        libraries.insert(0, guest_path(f"{LANGUAGE_DIR}/lib"))
    return {"PATH": ":".join(programs), "LD_LIBRARY_PATH": ":".join(libraries)}


def _identity(
    runtime: Runtime, function: Function, guest_path: Callable[[str], str]
) -> dict[str, str]:
    identity = {
        "AWS_REGION": function.key.region,
        "AWS_DEFAULT_REGION": function.key.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.key.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logging.log_group,
        "LAMBDA_TASK_ROOT": guest_path(TASK_ROOT),
        "LAMBDA_RUNTIME_DIR": guest_path(RUNTIME_DIR),
    }
    if function.handler:
        identity["_HANDLER"] = function.handler
    if not runtime.entrypoints:
        identity["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime.identifier}"
    return identity


def _logging(function: Function) -> dict[str, str]:
    if function.logging.log_format != "JSON":
        return {}
    return {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": function.logging.application_log_level or "INFO",
    }


def _moved(value: str, guest_path: Callable[[str], str]) -> str:
    """Translate every absolute path of a colon-separated list."""
    parts = value.split(":")
    return ":".join(guest_path(part) if part.startswith("/") else part for part in parts)
