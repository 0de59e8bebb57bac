"""ECR's errors, by their names in the service model, with AWS's texts."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException
from lambdad.neighbours.ecr.model import Repository


class AccessDeniedException(ServiceException):
    """The caller may not."""


class EmptyUploadException(ServiceException):
    """An upload was completed before anything had come."""


class ImageAlreadyExistsException(ServiceException):
    """This very image has this very tag already."""


class ImageDigestDoesNotMatchException(ServiceException):
    """A manifest is not what its digest says."""


class ImageNotFoundException(ServiceException):
    """There is no such image."""


class ImageTagAlreadyExistsException(ServiceException):
    """The tag is another image's, and tags stay where they are."""


class InvalidLayerException(ServiceException):
    """A layer is not what its digest says."""


class InvalidLayerPartException(ServiceException):
    """A part does not follow what came before."""


class InvalidParameterException(ServiceException):
    """A parameter is not acceptable."""


class LayerAlreadyExistsException(ServiceException):
    """The repository has this layer."""


class LayersNotFoundException(ServiceException):
    """The repository lacks layers that a manifest names."""


class LifecyclePolicyNotFoundException(ServiceException):
    """The repository has none."""


class LimitExceededException(ServiceException):
    """There would be too many."""


class ReferencedImagesNotFoundException(ServiceException):
    """The repository lacks images that a list names."""


class RepositoryAlreadyExistsException(ServiceException):
    """There is one of that name."""


class RepositoryNotEmptyException(ServiceException):
    """There are images in it."""


class RepositoryNotFoundException(ServiceException):
    """There is none of that name."""


class RepositoryPolicyNotFoundException(ServiceException):
    """The repository has none."""


class RegistryPolicyNotFoundException(ServiceException):
    """The registry has none."""


class ScanNotFoundException(ServiceException):
    """Nothing was scanned."""


class UnsupportedImageTypeException(ServiceException):
    """The image cannot be scanned."""


class UploadNotFoundException(ServiceException):
    """There is no such upload, or not any more."""


def no_repository(account_id: str, name: str) -> RepositoryNotFoundException:
    """The error for a repository that is not there."""
    return RepositoryNotFoundException(
        f"The repository with name '{name}' does not exist in the registry with id '{account_id}'"
    )


def no_image(repository: Repository, digest: str | None, tag: str | None) -> ServiceException:
    """The error for an image that is not there."""
    return ImageNotFoundException(
        f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} "
        f"does not exist within the repository with name '{repository.name}' in the registry with "
        f"id '{repository.account_id}'"
    )


def tag_taken(repository: Repository, tag: str) -> ServiceException:
    """The error for a tag that cannot be given to another image."""
    return ImageTagAlreadyExistsException(
        f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot "
        "be overwritten because the tag is immutable."
    )


def no_upload(repository: Repository, upload_id: str) -> ServiceException:
    """The error for an upload that is not there."""
    return UploadNotFoundException(
        f"The upload with id '{upload_id}' does not exist in the repository with name "
        f"'{repository.name}' in the registry with id '{repository.account_id}'"
    )
