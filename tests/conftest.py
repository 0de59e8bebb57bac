"""Settings that all tests share."""

import os
from collections.abc import Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from lambdad.testing.brokers import KafkaBroker, RabbitMqBroker, Unavailable

Broker = TypeVar("Broker", KafkaBroker, RabbitMqBroker)

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile(
    "ci", max_examples=200, derandomize=True, deadline=None, suppress_health_check=_SLOW_IS_FINE
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# `make backends`: which sandboxes the daemons of tests make that do not say so themselves.
BACKEND = os.environ.get("TEST_BACKEND", "auto")
os.environ["LAMBDAD_SANDBOX_BACKEND"] = BACKEND

# Where a function's files are is a promise of sandboxes with a file system of their own; so is
# that nobody else has its `/tmp`, its memory, its ports and the name `sandbox.localdomain`.
_OF_A_CONFINING_SANDBOX = frozenset(
    {
        "test_a_bootstrap_may_come_from_a_layer",
        "test_a_shell_script_serves_events",
        "test_a_syntax_error_is_located",
        "test_a_wrapper_that_may_not_be_executed_ends_the_init",
        "test_after_a_reset_the_extension_starts_anew_and_the_files_are_kept",
        "test_all_that_happens_reaches_an_extension_in_go_in_order",
        "test_an_exception_of_the_handler_is_described_and_the_process_goes_on",
        "test_an_exception_of_the_module_is_described",
        "test_context",
        "test_extensions_are_frozen_between_invocations",
        "test_isolation",
        "test_layers_lie_over_each_other_in_order_and_cannot_be_written",
        "test_python_imports_from_both_places_of_layers",
        "test_the_bootstrap_of_the_function_comes_first",
        "test_the_context_and_the_environment_are_those_of_aws",
        "test_the_environment_is_that_of_aws",
        "test_the_logs_api_delivers_lines_over_tcp",
        "test_the_logging_module_has_the_form_of_aws",
        "test_the_place_is_that_of_aws",
        "test_what_cannot_be_loaded_is_named",
        "test_what_ended_badly_is_told_before_the_end_and_the_next_init_is_of_its_invocation",
        "test_what_is_no_handler_is_named",
    }
)

# `make test` has several workers, and gives each the tests of a file, or of one of these, which
# share what takes long to make or must not happen beside itself.
_TOGETHER = (
    "tests/conformance/apigateway/",
    "tests/conformance/golden_events/",
    "tests/conformance/images/",
    # Each daemon that runs Java or .NET first makes an archive of their classes.
    "tests/conformance/runtimes/",
    "tests/security/",
)
# What waits most comes first, what is short and many last, so that all workers end together.
_ORDER = (
    "tests/conformance/golden_events/",
    "tests/e2e/tools/",
    "tests/e2e/",
    "tests/security/",
    "tests/conformance/runtimes/",
    "tests/unit/protocol/test_round_trips.py",
    "tests/conformance/",
    "tests/contract/",
    "tests/integration/",
    "tests/",
)


class _Shares(LoadScopeScheduling):
    """Who runs what: see `_TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return _first_of(_TOGETHER, nodeid) or nodeid.partition("::")[0]


def _first_of(places: tuple[str, ...], nodeid: str) -> str:
    return next((place for place in places if nodeid.startswith(place)), "")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    # Not by the number of tests: a crash test is one and takes long.
    config.option.loadscopereorder = False
    return _Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _ORDER.index(_first_of(_ORDER, item.nodeid)))
    if BACKEND != "process":
        return
    skip = pytest.mark.skip(reason="the process backend does not confine")
    for item in items:
        if getattr(item, "originalname", item.name) in _OF_A_CONFINING_SANDBOX:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that all tests share; topics and groups are the test's own."""
    yield from _running(KafkaBroker(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def rabbitmq_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMqBroker]:
    """A broker that all tests share; queues are the test's own."""
    yield from _running(RabbitMqBroker(tmp_path_factory.mktemp("rabbitmq")))


def _running(broker: Broker) -> Iterator[Broker]:
    try:
        broker.start()
        yield broker
    except Unavailable as reason:
        pytest.skip(str(reason))
    finally:
        broker.stop()
