"""What identities may do by policies of their own, apart from those of resources.

IAM's identity policies are not stored here: the contract is where they will be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lambdad.authz.policies import Decision, Principal


class IdentityPolicies(Protocol):
    """What the policies of a role, a user or their permission boundaries say."""

    def decide(
        self, principal: Principal, action: str, resource: str, context: Mapping[str, str]
    ) -> Decision:
        """Return what the identity's own policies say about a request.

        Args:
            principal: a user or the session of a role; the root of an account has none.
            action: for example `lambda:InvokeFunction`.
            resource: its ARN.
            context: condition keys.
        """
        ...


class EverythingAllowed:
    """Every identity may do what its account may. See :class:`IdentityPolicies`."""

    def decide(
        self, principal: Principal, action: str, resource: str, context: Mapping[str, str]
    ) -> Decision:
        """Allow."""
        return Decision.ALLOWED
