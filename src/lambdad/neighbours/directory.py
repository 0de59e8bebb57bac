"""The services that events flow through, as their requests can be told apart. Pure data.

Kept here so that no service model is read before its service is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How requests to a service are known.

    Attributes:
        signing_name: in the scope of a signature; also the first label of AWS's host names.
        target_prefix: of `X-Amz-Target`.
        query_version: parameter `Version` of the query protocol.
    """

    signing_name: str
    target_prefix: str | None = None
    query_version: str | None = None


# By botocore's name. Where a package of that name is in `lambdad.neighbours`, it can be `builtin`.
NEIGHBOURS: Mapping[str, Marks] = {
    # Both have the same signing name; only the second's paths begin with `/v2/`.
    "apigateway": Marks(signing_name="apigateway"),
    "apigatewayv2": Marks(signing_name="apigateway"),
    "cloudformation": Marks(signing_name="cloudformation", query_version="2010-05-15"),
    "cloudwatch": Marks(
        signing_name="monitoring",
        target_prefix="GraniteServiceVersion20100801",
        query_version="2010-08-01",
    ),
    "dynamodb": Marks(signing_name="dynamodb", target_prefix="DynamoDB_20120810"),
    "dynamodbstreams": Marks(signing_name="dynamodb", target_prefix="DynamoDBStreams_20120810"),
    "ecr": Marks(signing_name="ecr", target_prefix="AmazonEC2ContainerRegistry_V20150921"),
    "events": Marks(signing_name="events", target_prefix="AWSEvents"),
    "kinesis": Marks(signing_name="kinesis", target_prefix="Kinesis_20131202"),
    "s3": Marks(signing_name="s3"),
    "scheduler": Marks(signing_name="scheduler"),
    "sns": Marks(signing_name="sns", query_version="2010-03-31"),
    "sqs": Marks(signing_name="sqs", target_prefix="AmazonSQS", query_version="2012-11-05"),
}
