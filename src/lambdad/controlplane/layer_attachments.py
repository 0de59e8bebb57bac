"""Layers of functions: which a function may have, and how large it may become with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.layer_policies import USE, LayerPolicies, denied
from lambdad.controlplane.layers import Layers, LayerVersion
from lambdad.domain import limits
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.functions import Code
from lambdad.domain.layers import LayerKey, parse_layer_arn
from lambdad.storage.base import PackageStore


class LayerAttachments:
    """Finds what functions ask for."""

    def __init__(self, layers: Layers, policies: LayerPolicies, packages: PackageStore) -> None:
        self._layers = layers
        self._policies = policies
        self._packages = packages

    def resolve(self, function: FunctionKey, change: ConfigurationChange) -> ConfigurationChange:
        """Return the change with the layers that it names, if it names any, and their content.

        Raises:
            InvalidParameterValueException: too many, one twice, of another region or not there.
            AccessDeniedException: one is another account's, and no policy lets this one use it.
        """
        if change.layers is None:
            return change
        if len(change.layers) > limits.LAYERS_MAX:
            raise InvalidParameterValueException(
                f"Cannot reference more than {limits.LAYERS_MAX} layers."
            )
        found: dict[LayerKey, LayerVersion] = {}
        for arn in change.layers:
            version = self._find(function, arn)
            if (other := found.get(version.key)) is not None:
                raise InvalidParameterValueException(
                    "Two different versions of the same layer are not allowed to be referenced in "
                    f"the same function. {other.arn} and {arn} are versions of the same layer."
                )
            found[version.key] = version
        return replace(
            change,
            layers=tuple(version.arn for version in found.values()),
            layer_packages=tuple(version.code for version in found.values()),
        )

    async def check_size(self, code: Code, layers: Sequence[Code] | None) -> None:
        """Refuse code that is too large together with the function's layers.

        Raises:
            InvalidParameterValueException: it is.
        """
        if not layers or code.folder is not None:
            return
        total = 0
        for package in (code, *layers):
            total += await self._packages.unpacked_bytes(package.digest)
        if total > limits.UNZIPPED_BYTES_MAX:
            raise InvalidParameterValueException(
                "Function code combined with layers exceeds the maximum allowed size of "
                f"{limits.UNZIPPED_BYTES_MAX} bytes. The actual size is {total} bytes."
            )

    def _find(self, function: FunctionKey, arn: str) -> LayerVersion:
        reference = parse_layer_arn(arn)
        if reference is None or reference.version is None:
            raise _absent(arn)
        key, version = reference.key, reference.version
        own = key.account_id == function.account_id
        if key.region != function.region:
            # AWS quirk: of other accounts' layers only those of the region can be asked for.
            if not own:
                raise denied(function.account_id, arn, action=USE)
            raise InvalidParameterValueException(
                "Layers are not in the same region as the function. Layers are expected to be in "
                f"region {function.region}."
            )
        self._policies.check_access(function.account_id, key, version, action=USE)
        found = self._layers.get(key, version)
        if found is None:
            raise _absent(arn)
        return found


def _absent(arn: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"Layer version {arn} does not exist.")
