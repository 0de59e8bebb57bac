"""Imported by an interpreter that runtimes are forked from: all that they need, tried once."""
# ruff: noqa: TID252

from . import ahead, channel, loop, snapshot_image  # noqa: F401 - imported ahead

ahead.rehearse()
snapshot_image.note_origin()
