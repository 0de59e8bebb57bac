"""`lambdad doctor` shows guards, runtimes and tools with remedies, and its status is a verdict."""

import pytest

from lambdad.cli.commands.doctor import exit_status, show
from lambdad.server.doctor import Diagnosis, Finding


def guard(name="seccomp", state="ok", remedy=""):
    return Finding(
        section="guards",
        name=name,
        state=state,
        detail="filter mode",
        remedy=remedy,
        stops="strange system calls",
    )


def diagnosis(*findings, backend="native", isolated=True):
    return Diagnosis(backend=backend, isolated=isolated, findings=findings)


LACKS_NODE = Finding(
    section="runtimes",
    name="nodejs20.x",
    state="missing",
    detail="",
    remedy="Install it: apt-get install nodejs.",
)


@pytest.mark.parametrize(
    ("case", "status"),
    [
        (diagnosis(guard()), 0),
        (diagnosis(guard(), LACKS_NODE), 0),
        (diagnosis(guard(), guard(state="degraded")), 1),
        (diagnosis(guard(state="missing"), backend="process", isolated=False), 1),
        (diagnosis(backend=None, isolated=False), 2),
    ],
    ids=["all active", "a runtime is missing", "degraded", "not isolated", "no backend"],
)
def test_the_exit_status_is_the_verdict_on_isolation(case, status):
    assert exit_status(case) == status


def test_a_guard_is_shown_with_its_state_what_it_stops_and_how(capsys):
    show(diagnosis(guard()), 0)
    out = capsys.readouterr().out
    assert "Guards (native)\n" in out
    assert "  seccomp  ok     strange system calls  filter mode\n" in out
    assert out.endswith("Functions run isolated on this host.\n")


def test_every_problem_is_shown_with_its_remedy_once(capsys):
    mend = "Load the module."
    show(diagnosis(guard("a", "missing", mend), guard("b", "degraded", mend), LACKS_NODE), 1)
    out = capsys.readouterr().out
    assert "  a, b: Load the module.\n" in out
    assert "  nodejs20.x: Install it: apt-get install nodejs.\n" in out


def test_a_remedy_of_what_is_well_is_not_shown(capsys):
    show(diagnosis(guard(remedy="nothing")), 0)
    assert "What to do" not in capsys.readouterr().out


def test_output_in_a_pipe_is_plain(capsys):
    show(diagnosis(guard(), LACKS_NODE), 0)
    assert "\x1b" not in capsys.readouterr().out
