"""Custom domain names of REST APIs: where a host and a path lead to."""

from __future__ import annotations

from lambdad.triggers.execute_api import Mapped
from lambdad.triggers.rest_api.model import Directory

_NO_BASE_PATH = "(none)"


def mapped(directory: Directory, host: str, path: str) -> Mapped | None:
    """Return where a path of a host leads to; None if the host is no such name.

    The longest base path counts. A mapping without a stage leaves its name to the path.
    """
    for account in directory.accounts.values():
        if host not in account.domain_names:
            continue
        mappings = account.base_paths.get(host) or {}
        for base in sorted(mappings, key=len, reverse=True):
            prefix = "" if base == _NO_BASE_PATH else f"/{base}"
            if path == prefix or path.startswith(f"{prefix}/"):
                mapping = mappings[base]
                stage = mapping.get("stage") or ""
                rest = path.removeprefix(prefix) or "/"
                return Mapped(
                    api_id=mapping["restApiId"],
                    stage="" if stage == _NO_BASE_PATH else stage,
                    path=rest,
                )
        return Mapped(api_id="", stage="", path=path)
    return None
