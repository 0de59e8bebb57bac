"""Metric filters: stored, described and tried out.

What they count is in CloudWatch within seconds; `neighbours.log_metrics` sees to that.
"""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    existing_group,
    key_of_name,
    now_ms,
)
from lambdad.api.logs.subscription_filters import (
    check_pattern,
    filter_absent,
    filter_page,
    refuse_unserved,
)
from lambdad.controlplane.log_filters import METRIC
from lambdad.observability.patterns import InvalidPattern, compile_extractor

_UNSERVED = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")


@LOGS.operation("PutMetricFilter")
async def put_metric_filter(context: RequestContext, params: Params) -> Result:
    """Store how a group's events are counted; the same name again changes it."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    check_pattern(params["filterPattern"])
    refuse_unserved(params, _UNSERVED)
    for each in params["metricTransformations"]:
        if each.get("dimensions") and each.get("defaultValue") is not None:
            raise InvalidParameterException(
                "Invalid metric transformation: dimensions and default value are mutually exclusive"
            )
    document = {
        "logGroupName": key.name,
        "filterName": params["filterName"],
        "filterPattern": params["filterPattern"],
        "metricTransformations": [dict(each) for each in params["metricTransformations"]],
        "creationTime": now_ms(context),
    }
    await context.services.log_filters.put(METRIC, key, document)
    return {}


@LOGS.operation("DescribeMetricFilters")
async def describe_metric_filters(context: RequestContext, params: Params) -> Result:
    """List metric filters of a group, or of all, by name; or those of one metric."""
    filters = context.services.log_filters
    metric, namespace = params.get("metricName"), params.get("metricNamespace")
    if (metric is None) is not (namespace is None):
        raise InvalidParameterException(
            "metricName and metricNamespace must be specified together."
        )
    prefix = params.get("filterNamePrefix") or ""
    if params.get("logGroupName") is not None:
        key = key_of_name(context, params["logGroupName"])
        await existing_group(context, key)
        found = filters.of(METRIC, key, prefix=prefix)
    else:
        everything = filters.everywhere(METRIC, context.account_id, context.region)
        found = [each for each in everything if each["filterName"].startswith(prefix)]
    if metric is not None:
        found = [
            each
            for each in found
            if any(
                (one["metricName"], one["metricNamespace"]) == (metric, namespace)
                for one in each["metricTransformations"]
            )
        ]
    page, token = filter_page(params, found)
    return {"metricFilters": page, "nextToken": token}


@LOGS.operation("DeleteMetricFilter")
async def delete_metric_filter(context: RequestContext, params: Params) -> Result:
    """Forget a metric filter."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    if not await context.services.log_filters.delete(METRIC, key, params["filterName"]):
        raise filter_absent("metric")
    return {}


@LOGS.operation("TestMetricFilter")
async def test_metric_filter(context: RequestContext, params: Params) -> Result:
    """Return which of some messages a pattern matches, and what it reads from them."""
    try:
        extract = compile_extractor(params["filterPattern"])
    except InvalidPattern as error:
        raise InvalidParameterException(str(error)) from error
    matches = []
    for number, message in enumerate(params["logEventMessages"], 1):
        values = extract(message)
        if values is not None:
            matches.append(
                {"eventNumber": number, "eventMessage": message, "extractedValues": values}
            )
    return {"matches": matches}
