"""`lambdad doctor`: what protects on this host, what runs here, and what to do about the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lambdad.cli.errors import FAILURE, FUNCTION_ERROR, SUCCESS
from lambdad.cli.output import on_terminal, write_json, write_table
from lambdad.cli.settings import config_option, configuration

if TYPE_CHECKING:
    from lambdad.server.doctor import Diagnosis, Finding

VERDICTS = {
    SUCCESS: ("green", "Functions run isolated on this host."),
    FUNCTION_ERROR: ("yellow", "Functions run, but not every guard protects."),
    FAILURE: ("red", "Functions cannot run here."),
}


@click.command()
@config_option
@click.option("--backend", help="Examine this one: auto, native, bwrap or process.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="As for `serve`."
)
@click.option("--json", "as_json", is_flag=True, help="Print findings as JSON.")
def doctor(path: Path | None, backend: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Say which guards protect here, which do not, why, and the remedy.

    Builds a real sandbox to find out. Exit status: 0 functions run isolated, 1 they run with
    guards degraded or missing, 2 they cannot run.
    """
    config = configuration(path, {"sandbox.backend": backend, "server.data_dir": data_dir})
    from lambdad.server.doctor import examine

    diagnosis = examine(config)
    status = exit_status(diagnosis)
    if as_json:
        write_json(
            {
                "backend": diagnosis.backend,
                "isolated": diagnosis.isolated,
                "status": status,
                "findings": [dataclasses.asdict(each) for each in diagnosis.findings],
            }
        )
    else:
        show(diagnosis, status)
    click.get_current_context().exit(status)


def exit_status(diagnosis: Diagnosis) -> int:
    """Return 0, 1 or 2, as the command's help says."""
    if diagnosis.backend is None:
        return FAILURE
    guards = [each for each in diagnosis.findings if each.section == "guards"]
    if diagnosis.isolated and all(each.state == "ok" for each in guards):
        return SUCCESS
    return FUNCTION_ERROR


def show(diagnosis: Diagnosis, status: int) -> None:
    """Write tables, remedies and the verdict to stdout."""
    sections: dict[str, list[Finding]] = {}
    for finding in diagnosis.findings:
        sections.setdefault(finding.section, []).append(finding)
    for section, findings in sections.items():
        if section == "guards":
            rows = [(each.name, each.state, each.stops, each.detail) for each in findings]
            write_table(f"Guards ({diagnosis.backend})", ("guard", "state", "stops", "how"), rows)
        else:
            plain = [(each.name, each.state, each.detail) for each in findings]
            write_table(section.capitalize(), ("name", "state", "detail"), plain)
    _show_remedies(diagnosis.findings)
    colour, verdict = VERDICTS[status]
    click.echo(click.style(verdict, fg=colour, bold=True) if on_terminal() else verdict)


def _show_remedies(findings: Sequence[Finding]) -> None:
    remedies: dict[str, list[str]] = {}
    for finding in findings:
        if finding.state != "ok" and finding.remedy:
            remedies.setdefault(finding.remedy, []).append(finding.name)
    if not remedies:
        return
    click.echo("What to do")
    for remedy, names in remedies.items():
        click.echo(f"  {', '.join(names)}: {remedy}")
    click.echo()
