"""Handing controllers of cgroup v2 down to groups of groups."""

from __future__ import annotations

import logging
from pathlib import Path

from lambdad.sandbox.cgroup_controllers import write

_LOG = logging.getLogger(__name__)


def hand_down(group: Path, controller: str) -> bool:
    """Hand a controller down from a group; False if the host does not allow it."""
    subtree_control = group / "cgroup.subtree_control"
    if controller in _words(subtree_control):
        return True
    try:
        write(subtree_control, f"+{controller}")
    except OSError:
        # A group that hands controllers down may hold no processes itself (but for the real
        # root). In a container the apparent root holds all of them: they move to a leaf.
        if not _vacate(group):
            return False
        try:
            write(subtree_control, f"+{controller}")
        except OSError as error:
            _LOG.warning("cgroup controller %s is not available: %s", controller, error)
            return False
    return True


def _vacate(group: Path) -> bool:
    leaf = group / "lambdad-host"
    try:
        leaf.mkdir(exist_ok=True)
        for pid in _words(group / "cgroup.procs"):
            write(leaf / "cgroup.procs", pid)
    except OSError as error:
        _LOG.warning("processes cannot leave the cgroup %s: %s", group, error)
        return False
    return True


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
