"""Stages of which a part of the requests is served from another deployment. Pure."""

from __future__ import annotations

from collections.abc import Callable

from lambdad.triggers.rest_api.model import Document, RestApi, Snapshot


def served(
    api: RestApi, stage: Document, draw: Callable[[], float]
) -> tuple[Snapshot | None, Document]:
    """Return the deployment that takes a request, and the stage as it is for that one.

    `draw` returns numbers from 0 up to, but not including 1.
    """
    canary: Document | None = stage.get("canarySettings")
    if canary and draw() * 100 < float(canary.get("percentTraffic") or 0):
        snapshot = api.deployments.get(str(canary.get("deploymentId")))
        overrides = canary.get("stageVariableOverrides") or {}
        if snapshot is not None:
            variables = {**(stage.get("variables") or {}), **overrides}
            return snapshot, {**stage, "variables": variables}
    return api.deployments.get(str(stage.get("deploymentId"))), stage
