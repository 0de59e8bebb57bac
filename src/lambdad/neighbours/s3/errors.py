"""S3's errors. Most are not in the service model, so they go by the code of the API reference."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class S3Error(ServiceException):
    """An error of S3 by its code; the status is known from the code (`protocol.error_shapes`)."""

    def __init__(self, code: str, message: str, **members: str) -> None:
        super().__init__(message, **members)
        # Of the instance, because S3 has hundreds of them.
        self.code = code  # type: ignore[misc]


def no_bucket(name: str) -> S3Error:
    """The bucket is not there."""
    return S3Error("NoSuchBucket", "The specified bucket does not exist", BucketName=name)


def no_key(key: str) -> S3Error:
    """The object is not there."""
    return S3Error("NoSuchKey", "The specified key does not exist.", Key=key)


def no_version(key: str, version_id: str) -> S3Error:
    """The version is not there."""
    text = "The specified version does not exist."
    return S3Error("NoSuchVersion", text, Key=key, VersionId=version_id)


def no_upload(upload_id: str) -> S3Error:
    """The multipart upload is not there."""
    return S3Error(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed.",
        UploadId=upload_id,
    )


def precondition_failed(condition: str) -> S3Error:
    """A condition of the request does not hold."""
    return S3Error(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        Condition=condition,
    )


def invalid_argument(message: str, name: str, value: object) -> S3Error:
    """A parameter cannot have this value."""
    members = {"ArgumentName": name, "ArgumentValue": str(value)}
    return S3Error("InvalidArgument", message, **members)


def invalid_request(message: str) -> S3Error:
    """Parameters do not go together."""
    return S3Error("InvalidRequest", message)


def malformed_xml() -> S3Error:
    """A document lacks something or has too much."""
    return S3Error(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def bad_digest(algorithm: str) -> S3Error:
    """The bytes are not those that a checksum was made of."""
    return S3Error(
        "BadDigest", f"The {algorithm} you specified did not match the calculated checksum."
    )


def access_denied() -> S3Error:
    """Neither owner nor policy lets the caller do this."""
    return S3Error("AccessDenied", "Access Denied")
