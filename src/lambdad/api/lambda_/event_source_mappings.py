"""Event source mappings; none can be made yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA


@LAMBDA.operation("ListEventSourceMappings")
async def list_event_source_mappings(context: RequestContext, params: Params) -> Result:
    """List event source mappings."""
    return {"EventSourceMappings": []}
