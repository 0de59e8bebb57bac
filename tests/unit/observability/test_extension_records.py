"""The platform's record of an extension, in both formats."""

from __future__ import annotations

from lambdad.observability.extension_records import extension_event, extension_line


def test_a_line_names_the_state_and_the_events() -> None:
    line = extension_line("watch", "Ready", ["INVOKE", "SHUTDOWN"], None)
    assert line == "EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n"


def test_a_line_of_one_that_failed_says_why() -> None:
    line = extension_line("watch", "LaunchError", [], "PermissionDenied")
    assert line == (
        "EXTENSION\tName: watch\tState: LaunchError\tEvents: []\tError Type: PermissionDenied\n"
    )


def test_an_event_is_a_warning_only_when_the_extension_failed() -> None:
    ready = extension_event("watch", "Ready", ["INVOKE"], None)
    assert (ready.type, ready.level) == ("platform.extension", "INFO")
    assert ready.record == {"name": "watch", "state": "Ready", "events": ["INVOKE"]}
    failed = extension_event("watch", "ExitError", [], "Extension.X")
    assert failed.level == "WARN"
    assert failed.record["errorType"] == "Extension.X"
