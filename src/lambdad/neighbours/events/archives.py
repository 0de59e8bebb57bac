"""Archives of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events import archive_rows
from lambdad.neighbours.events.errors import (
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from lambdad.neighbours.events.model import Archive, BusKey
from lambdad.neighbours.events.service import EVENTS, Context, bus_key, check_pattern, paged


@EVENTS.operation("CreateArchive")
async def create_archive(context: Context, params: Params) -> Result:
    """Keep the events of a bus from now on."""
    key = bus_key(context, params["ArchiveName"])
    context.services.bus(bus_key(context, params["EventSourceArn"]))
    if context.services.find(Archive, str(key)) is not None:
        raise ResourceAlreadyExistsException(f"Archive {key.name} already exists.")
    if params.get("EventPattern"):
        check_pattern(params["EventPattern"])
    now_ms = context.services.now_ms()
    archive = Archive(
        account_id=key.account_id,
        region=key.region,
        name=key.name,
        created_ms=now_ms,
        modified_ms=now_ms,
        settings=_settings(params),
        source_arn=params["EventSourceArn"],
        pattern=params.get("EventPattern") or None,
        retention_days=params.get("RetentionDays") or 0,
    )
    await context.services.put(archive)
    return _short(archive)


@EVENTS.operation("UpdateArchive")
async def update_archive(context: Context, params: Params) -> Result:
    """Change what an archive keeps, and how long."""
    archive = archive_of(context, params)
    if params.get("EventPattern"):
        check_pattern(params["EventPattern"])
    changed = replace(
        archive,
        settings={**archive.settings, **_settings(params)},
        pattern=params.get("EventPattern") or archive.pattern,
        retention_days=params.get("RetentionDays") or archive.retention_days,
        modified_ms=context.services.now_ms(),
    )
    await context.services.put(changed)
    return _short(changed)


@EVENTS.operation("DescribeArchive")
async def describe_archive(context: Context, params: Params) -> Result:
    """Return an archive."""
    archive = archive_of(context, params)
    return {
        **await _told(context, archive),
        "ArchiveArn": archive.arn,
        "EventPattern": archive.pattern,
        **archive.settings,
    }


@EVENTS.operation("ListArchives")
async def list_archives(context: Context, params: Params) -> Result:
    """Return archives by the beginning of their names, or by their bus."""
    prefix, source = params.get("NamePrefix") or "", params.get("EventSourceArn")
    found = [
        archive
        for archive in context.services.all(Archive)
        if (archive.account_id, archive.region) == (context.account_id, context.region)
        and archive.name.startswith(prefix)
        and source in (None, archive.source_arn)
        and params.get("State") in (None, "ENABLED")
    ]
    page, token = paged(params, found, lambda archive: archive.name)
    return {"Archives": [await _told(context, each) for each in page], "NextToken": token}


@EVENTS.operation("DeleteArchive")
async def delete_archive(context: Context, params: Params) -> Result:
    """Delete an archive with its events."""
    await context.services.remove(archive_of(context, params))
    return {}


def archive_of(context: Context, params: Params) -> Archive:
    """Return the archive of a request.

    Raises:
        ResourceNotFoundException: there is none.
    """
    key = BusKey(account_id=context.account_id, region=context.region, name=params["ArchiveName"])
    archive = context.services.find(Archive, str(key))
    if archive is None:
        raise ResourceNotFoundException(f"Archive {key.name} does not exist.")
    return archive


def _settings(params: Params) -> dict[str, Any]:
    names = ("Description", "KmsKeyIdentifier")
    return {name: params[name] for name in names if params.get(name) is not None}


def _short(archive: Archive) -> Result:
    return {
        "ArchiveArn": archive.arn,
        "State": "ENABLED",
        "CreationTime": datetime.fromtimestamp(archive.created_ms / 1_000, UTC),
    }


async def _told(context: Context, archive: Archive) -> Mapping[str, Any]:
    job = partial(archive_rows.counts, archive=str(archive.key))
    count, size = await context.services.db.read(job)
    return {
        "ArchiveName": archive.name,
        "EventSourceArn": archive.source_arn,
        "State": "ENABLED",
        "RetentionDays": archive.retention_days,
        "SizeBytes": size,
        "EventCount": count,
        "CreationTime": datetime.fromtimestamp(archive.created_ms / 1_000, UTC),
    }
