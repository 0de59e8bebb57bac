"""What a router finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from botocore.model import OperationModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The operation and its decoded path parameters, by their names in the path template."""

    operation: OperationModel
    path_params: Mapping[str, str]
