"""What a REST API is made of, and the directory in which its front door finds it.

Documents have the members that API Gateway's service model names (`restApiId`, `pathPart`, ...),
as its Get operations answer them. Requests are served from a stage's snapshot alone: what is
edited later shows only after the next deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True, weakref_slot=True)
class Snapshot:
    """What was deployed. Never changed after it was made; each is itself alone.

    Attributes:
        deployment_id: of the deployment that made it.
        document: the API itself, as GetRestApi answers it (`policy` is the policy's JSON text).
        resources: Resource documents by id: `id`, `parentId`, `pathPart`, `path`, and
            `resourceMethods` with a Method document (`methodIntegration`, `methodResponses`, ...)
            for each method.
        models: Model documents by name.
        validators: RequestValidator documents by id.
        authorizers: Authorizer documents by id.
        gateway_responses: GatewayResponse documents by `responseType`; the customised ones only.
    """

    deployment_id: str
    created_at: float
    description: str | None = None
    document: Document
    resources: Mapping[str, Document]
    models: Mapping[str, Document] = field(default_factory=dict)
    validators: Mapping[str, Document] = field(default_factory=dict)
    authorizers: Mapping[str, Document] = field(default_factory=dict)
    gateway_responses: Mapping[str, Document] = field(default_factory=dict)


@dataclass(eq=False, slots=True, kw_only=True)
class RestApi:
    """An API with its parts. Mutable: changed on the event loop once the change is durable.

    The parts are those of `Snapshot`; `documentation` holds what is stored and not served.

    Attributes:
        deployments: by deployment id.
        stages: Stage documents by name (`deploymentId`, `variables`, `methodSettings`, ...).
        authorizers_epoch: grows when what authorizers answered is to be forgotten; not stored.
    """

    account_id: str
    region: str
    document: Document
    resources: dict[str, Document] = field(default_factory=dict)
    models: dict[str, Document] = field(default_factory=dict)
    validators: dict[str, Document] = field(default_factory=dict)
    authorizers: dict[str, Document] = field(default_factory=dict)
    gateway_responses: dict[str, Document] = field(default_factory=dict)
    documentation: dict[str, Document] = field(default_factory=dict)
    deployments: dict[str, Snapshot] = field(default_factory=dict)
    stages: dict[str, Document] = field(default_factory=dict)
    authorizers_epoch: int = 0

    @property
    def api_id(self) -> str:
        """Ten characters, unique among all APIs."""
        return str(self.document["id"])

    def snapshot(
        self, deployment_id: str, *, created_at: float, description: str | None = None
    ) -> Snapshot:
        """Return a copy of everything as it is now, in seconds since the epoch."""
        return Snapshot(
            deployment_id=deployment_id,
            created_at=created_at,
            description=description,
            document=deepcopy(dict(self.document)),
            resources=deepcopy(self.resources),
            models=deepcopy(self.models),
            validators=deepcopy(self.validators),
            authorizers=deepcopy(self.authorizers),
            gateway_responses=deepcopy(self.gateway_responses),
        )


@dataclass(eq=False, slots=True, kw_only=True)
class Account:
    """What the APIs of one account and region share. Mutable, as `RestApi` is.

    Attributes:
        api_keys: ApiKey documents by id, each with its `value`.
        usage_plans: UsagePlan documents by id: `apiStages`, `throttle`, `quota`.
        usage_plan_keys: ids of the API keys of each usage plan.
        domain_names: DomainName documents by name.
        base_paths: of each domain name, BasePathMapping documents by `basePath`
            (`(none)` for the empty one): `restApiId`, `stage`.
    """

    account_id: str
    region: str
    api_keys: dict[str, Document] = field(default_factory=dict)
    usage_plans: dict[str, Document] = field(default_factory=dict)
    usage_plan_keys: dict[str, set[str]] = field(default_factory=dict)
    domain_names: dict[str, Document] = field(default_factory=dict)
    base_paths: dict[str, dict[str, Document]] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Directory:
    """All REST APIs there are, and what their accounts have.

    Attributes:
        apis: by api id, of every account and region.
        accounts: by account id and region.
    """

    apis: dict[str, RestApi] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)

    def anybodys(self, api_id: str) -> RestApi | None:
        """Return an API, whoever asks."""
        return self.apis.get(api_id)

    def account(self, account_id: str, region: str) -> Account:
        """Return what an account has in a region; made when it is first asked for."""
        key = (account_id, region)
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account(account_id=account_id, region=region)
        return found
