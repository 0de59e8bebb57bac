from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.observability import report
from lambdad.observability.report import Outcome, TraceSegment
from lambdad.observability.usage import (
    Restore,
    UsageRecord,
    billed_duration_ms,
    billed_restore_ms,
    peak_memory_mb,
)

REQUEST = "1c8df7d3-0000-4000-8000-aaaaaaaaaaaa"


def a_usage(**changes: object) -> UsageRecord:
    values = {
        "version": "$LATEST",
        "request_id": REQUEST,
        "timestamp_ms": 1_764_000_000_000,
        "duration_ms": 3.01,
        "billed_duration_ms": 114,
        "memory_size_mb": 128,
        "max_memory_used_mb": 36,
    }
    return UsageRecord(**{**values, **changes})  # type: ignore[arg-type]


def test_a_cold_invocation_is_reported_as_aws_does():
    assert report.report_line(a_usage(init_duration_ms=110.1)) == (
        f"REPORT RequestId: {REQUEST}\tDuration: 3.01 ms\tBilled Duration: 114 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\n"
    )


def test_a_warm_invocation_has_no_init_duration():
    assert report.report_line(a_usage()).endswith("\tMax Memory Used: 36 MB\t\n")


def test_a_status_ends_the_line_without_a_tab():
    timeout = report.report_line(
        a_usage(init_duration_ms=495.04), outcome=Outcome(status="timeout")
    )
    assert timeout.endswith("\tInit Duration: 495.04 ms\tStatus: timeout\n")
    error = Outcome(status="error", error_type="Runtime.OutOfMemory")
    assert report.report_line(a_usage(), outcome=error).endswith(
        "\tMax Memory Used: 36 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n"
    )


def test_optional_parts_come_in_order():
    line = report.report_line(
        a_usage(restore=Restore(duration_ms=511.25, billed_ms=3)),
        trace=TraceSegment(trace_id="1-5e34a614-10bdxmpl", segment_id="07f8xmpl"),
        outcome=Outcome(status="timeout"),
    )
    assert line.partition("Max Memory Used: 36 MB\t")[2] == (
        "Restore Duration: 511.25 ms\tBilled Restore Duration: 3 ms\t"
        "\nXRAY TraceId: 1-5e34a614-10bdxmpl\tSegmentId: 07f8xmpl\tSampled: true\t"
        "Status: timeout\n"
    )


def test_lines_of_a_restore():
    assert report.restore_start_line("python:3.12", "arn:aws:lambda:R::runtime:ab") == (
        "RESTORE_START Runtime Version: python:3.12\t"
        "Runtime Version ARN: arn:aws:lambda:R::runtime:ab\n"
    )
    assert report.restore_report_line(511.25) == "RESTORE_REPORT Restore Duration: 511.25 ms\n"
    failed = report.restore_report_line(
        1.0, Outcome(status="error", error_type="Runtime.ExitError")
    )
    assert failed.endswith(" 1.00 ms\tStatus: error\tError Type: Runtime.ExitError\n")


def test_only_hooks_are_billed_of_a_restore_and_beside_the_duration():
    assert [billed_restore_ms(hooks) for hooks in (0.0, 0.004, 0.3, 216.0)] == [0, 0, 1, 216]
    usage = a_usage(
        memory_size_mb=1024,
        billed_duration_ms=10,
        restore=Restore(duration_ms=500.0, billed_ms=90),
    )
    assert usage.gb_seconds == pytest.approx(0.1)


def test_start_and_end_name_the_request():
    assert report.start_line(REQUEST, "$LATEST") == f"START RequestId: {REQUEST} Version: $LATEST\n"
    assert report.end_line(REQUEST) == f"END RequestId: {REQUEST}\n"


def test_init_lines():
    assert report.init_start_line("python:3.12.v38", "arn:aws:lambda:R::runtime:ab") == (
        "INIT_START Runtime Version: python:3.12.v38\t"
        "Runtime Version ARN: arn:aws:lambda:R::runtime:ab\n"
    )
    assert (
        report.init_report_line(9999.794, phase="init", outcome=Outcome(status="timeout"))
        == "INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout\n"
    )
    assert (
        report.init_report_line(
            998.15,
            phase="invoke",
            outcome=Outcome(status="error", error_type="Runtime.Unknown"),
        )
        == "INIT_REPORT Init Duration: 998.15 ms\tPhase: invoke\t"
        "Status: error\tError Type: Runtime.Unknown\n"
    )


def test_a_timeout_is_one_event_with_a_blank_line():
    moment = datetime(2025, 7, 2, 6, 13, 12, 232_999, tzinfo=UTC)
    assert report.timed_out_line(moment, REQUEST, 3) == (
        f"2025-07-02T06:13:12.232Z {REQUEST} Task timed out after 3.00 seconds\n\n"
    )


def test_an_exit_names_reason_and_type():
    assert report.runtime_exited_line(REQUEST, "Runtime exited with error: exit status 1") == (
        f"RequestId: {REQUEST} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n"
    )


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed_ms"),
    [
        (1049.63, 1293.83, 2344),  # recorded from AWS
        (3000.0, None, 3000),
        (3.0000000001, None, 3),
        (3.01, None, 4),
        (0.0, None, 1),
        (0.4, 0.5, 1),
    ],
)
def test_billed_time_is_rounded_up_to_a_millisecond(duration_ms, init_ms, billed_ms):
    assert billed_duration_ms(duration_ms, init_ms) == billed_ms


def test_billed_time_can_be_rounded_up_to_100_ms():
    assert billed_duration_ms(100.0, granularity_ms=100) == 100
    assert billed_duration_ms(100.01, granularity_ms=100) == 200
    assert billed_duration_ms(0.5, granularity_ms=100) == 100


@given(st.floats(0, 900_000), st.none() | st.floats(0, 900_000), st.sampled_from([1, 100]))
def test_billed_time_covers_what_is_shown_and_less_than_a_step_more(duration, init, step):
    shown = float(f"{duration:.2f}") + (0 if init is None else float(f"{init:.2f}"))
    billed = billed_duration_ms(duration, init, granularity_ms=step)
    assert billed % step == 0
    assert shown - 0.02 <= billed < max(shown, step) + step + 0.02


def test_gb_seconds_are_configured_memory_times_billed_time():
    assert a_usage(memory_size_mb=512, billed_duration_ms=250).gb_seconds == 0.125


def test_peak_memory_is_whole_mib_within_the_limit():
    assert peak_memory_mb(36 * 1024 * 1024 + 1, 128) == 37
    assert peak_memory_mb(129 * 1024 * 1024, 128) == 128
    assert peak_memory_mb(0, 128) == 1
