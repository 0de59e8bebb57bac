"""What has to be done before a version may run: fetch its image, make its snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.controlplane.ports import VersionPreparer
from lambdad.dataplane.snapshots import Snapshots
from lambdad.domain import snapstart
from lambdad.domain.functions import Function


class SnapshotPreparer:
    """See `VersionPreparer`: a version that SnapStart applies to awaits its snapshot."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def concerns(self, function: Function) -> bool:
        """Whether SnapStart applies to it."""
        return snapstart.applies(function)

    async def prepare(self, function: Function) -> Mapping[str, Any]:
        """Make the snapshot; raises `VersionFailed` when the function cannot be initialised."""
        return {snapstart.MEMBER: snapstart.member(on=await self._snapshots.make(function))}


class Preparations:
    """See `VersionPreparer`: all that concern a version, one after the other."""

    def __init__(self, preparers: Sequence[VersionPreparer]) -> None:
        self._preparers = preparers

    def concerns(self, function: Function) -> bool:
        """Whether any does."""
        return any(each.concerns(function) for each in self._preparers)

    async def prepare(self, function: Function) -> Mapping[str, Any]:
        """Have each do its part."""
        prepared: dict[str, Any] = {}
        for each in self._preparers:
            if each.concerns(function):
                prepared |= await each.prepare(function)
        return prepared
