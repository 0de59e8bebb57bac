"""Results and errors of REST-XML services, which is S3 alone here, as bodies.

Decides root elements, which the model does not name where a result has no payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel, StructureShape

from lambdad.protocol.bindings import Bindings, Bound
from lambdad.protocol.xml import XmlWriter

XML = "application/xml"
_BLOB = "binary/octet-stream"
# A policy is JSON, the only payload that is text.
_TEXT = "application/json"

_ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


def xml_body(
    operation: OperationModel, bindings: Bindings, result: Mapping[str, Any]
) -> tuple[str, bytes]:
    """Return content type and body of a result."""
    metadata = _namespace(operation.service_model)
    if bindings.payload is not None:
        return _payload(bindings.payload, result.get(bindings.payload.name), metadata)
    if operation.output_shape is None or not bindings.body:
        return XML, b""
    xml = XmlWriter(declaration=True)
    if operation.name == "GetBucketLocation":
        # AWS quirk: the root is the result's only member.
        with xml.element("LocationConstraint", metadata):
            xml.characters(result.get("LocationConstraint") or "")
        return XML, xml.finish()
    with xml.element(_ROOTS.get(operation.name, f"{operation.name}Result"), metadata):
        for bound in bindings.body:
            if result.get(bound.name) is not None:
                xml.member(bound.wire_name, bound.shape, result[bound.name])
    return XML, xml.finish()


def _payload(bound: Bound, value: Any, metadata: Mapping[str, Any]) -> tuple[str, bytes]:
    if isinstance(bound.shape, StructureShape):
        if value is None:
            return XML, b""
        if bound.shape.serialization.get("eventstream"):
            return "application/vnd.amazon.eventstream", value
        xml = XmlWriter(declaration=True)
        with xml.element(bound.shape.serialization.get("name", bound.shape.name), metadata):
            xml.members(bound.shape, value)
        return XML, xml.finish()
    if isinstance(value, str):
        return _TEXT, value.encode()
    return _BLOB, value or b""


def xml_error(code: str, message: str, members: Mapping[str, str], request_id: str) -> bytes:
    """Return the body of an error; `members` become elements of it."""
    xml = XmlWriter(declaration=True)
    with xml.element("Error"):
        xml.text("Code", code)
        xml.text("Message", message)
        for name, text in members.items():
            xml.text(name, text)
        xml.text("RequestId", request_id)
        xml.text("HostId", request_id)
    return xml.finish()


def _namespace(model: ServiceModel) -> Mapping[str, Any]:
    return {"xmlNamespace": f"http://s3.amazonaws.com/doc/{model.api_version}/"}
