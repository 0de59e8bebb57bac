"""How an error looks on the wire: its status, the key of its message, who is to blame.

Decides from the error shapes of a model, and by AWS's habit for errors that no model has. Refuses
to know why an error is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from botocore.model import ServiceModel, StructureShape

# Errors that every AWS service has and few models mention.
_COMMON = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 400,
    "InternalFailure": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    # Not 501: clients repeat what answers 5xx, and an operation that is not served stays so.
    "NotImplementedException": 400,
    "RequestEntityTooLargeException": 413,
    "SerializationException": 400,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
# S3's, of which its model has a few.
_S3 = {
    **dict.fromkeys(
        (
            "NoSuchBucketPolicy",
            "NoSuchCORSConfiguration",
            "NoSuchConfiguration",
            "NoSuchLifecycleConfiguration",
            "NoSuchPublicAccessBlockConfiguration",
            "NoSuchTagSet",
            "NoSuchVersion",
            "NoSuchWebsiteConfiguration",
            "ObjectLockConfigurationNotFoundError",
            "OwnershipControlsNotFoundError",
            "ReplicationConfigurationNotFoundError",
            "ServerSideEncryptionConfigurationNotFoundError",
        ),
        404,
    ),
    **dict.fromkeys(
        (
            "AccessForbidden",
            "InvalidAccessKeyId",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
        ),
        403,
    ),
    **dict.fromkeys(("BucketNotEmpty", "ConditionalRequestConflict", "OperationAborted"), 409),
    "InternalError": 500,
    "InvalidPartNumber": 416,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "NotModified": 304,
    "PreconditionFailed": 412,
    "SlowDown": 503,
}
_BY_NAME_OF_FAULT = {"ServiceUnavailableException": 503}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorForm:
    """How one error looks on the wire.

    Attributes:
        code: its name there, which a model may set apart from the shape's.
        fault: the service is to blame, not the caller.
        has_type: the body has a member `Type`.
        query_code: its name in the older query protocol, for clients of JSON that know that one.
    """

    code: str
    status: int
    fault: bool
    message_key: str = "message"
    has_type: bool = False
    query_code: str | None = None
    shape: StructureShape | None = None


@cache
def error_form(service_model: ServiceModel, code: str) -> ErrorForm:
    """Return the form of an error, named by its shape or by its code on the wire."""
    shape = _shapes(service_model).get(code)
    if shape is None:
        known = _S3 | _COMMON if service_model.service_name == "s3" else _COMMON
        status = known.get(code, 400)
        query_code = code if _tells_query_codes(service_model) else None
        return ErrorForm(code=code, status=status, fault=status >= 500, query_code=query_code)
    error = shape.metadata.get("error") or {}
    # botocore keeps the trait in the model but does not pass it on as metadata.
    fault = bool(shape._shape_model.get("fault"))  # type: ignore[attr-defined]
    habit = _BY_NAME_OF_FAULT.get(shape.name, 500) if fault else _COMMON.get(shape.name, 400)
    status = error.get("httpStatusCode", habit)
    older = shape._shape_model.get("queryError", {})  # type: ignore[attr-defined]
    keys = [name for name in shape.members if name.lower() == "message"]
    named = error.get("code", shape.name)
    # Where the older names go in a header, the body has the shape's.
    apart = _tells_query_codes(service_model) and service_model.metadata["protocol"] == "json"
    return ErrorForm(
        code=shape.name if apart else named,
        status=status,
        fault=fault or status >= 500,
        message_key=keys[0] if keys else "message",
        has_type="Type" in shape.members,
        query_code=older.get("code", named) if _tells_query_codes(service_model) else None,
        shape=shape,
    )


def _tells_query_codes(service_model: ServiceModel) -> bool:
    return "awsQueryCompatible" in service_model.metadata


@cache
def _shapes(service_model: ServiceModel) -> dict[str, StructureShape]:
    found: dict[str, StructureShape] = {}
    for shape in service_model.error_shapes:
        if not isinstance(shape, StructureShape):
            continue
        found[shape.name] = shape
        found[(shape.metadata.get("error") or {}).get("code", shape.name)] = shape
    return found
