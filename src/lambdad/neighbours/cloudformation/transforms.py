"""What rewrites a template before it is deployed, in which order.

`AWS::Serverless-2016-10-31` is AWS's own `aws-sam-translator`, an optional package.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.extensions import extended
from lambdad.neighbours.cloudformation.macros import Macros
from lambdad.neighbours.cloudformation.template import Template

SERVERLESS = "AWS::Serverless-2016-10-31"
EXTENSIONS = "AWS::LanguageExtensions"
_MANAGED = "arn:aws:iam::aws:policy/"


def transformed(
    template: Template, values: Mapping[str, Any], macros: Macros, *, region: str
) -> Mapping[str, Any]:
    """Return the document of a template with its transforms applied.

    `values` are of parameters and pseudo parameters.

    Raises:
        ValidationError: a transform is not known, fails, or needs a package that is missing.
    """
    declared = template.document.get("Transform") or []
    asked = declared if isinstance(declared, list) else [declared]
    unknown = [
        name
        for name in template.transforms
        if name not in (SERVERLESS, EXTENSIONS) and not macros.knows(name)
    ]
    if unknown:
        raise ValidationError(f"No transform named {unknown[0]} found.")
    document = {key: each for key, each in template.document.items() if key != "Transform"}
    if template.has_snippets:
        document = macros.snippets(document)
    for name, each in zip(template.transforms, asked, strict=True):
        if name == EXTENSIONS:
            document = extended(document, values)
        elif name == SERVERLESS:
            document = dict(_serverless(copy.deepcopy(document), values, region))
        else:
            document = macros.whole(each, document)
    return document


def _serverless(
    document: dict[str, Any], values: Mapping[str, Any], region: str
) -> Mapping[str, Any]:
    try:
        # Slow to import, and not everybody has it.
        import boto3  # noqa: PLC0415
        from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415
        from samtranslator.parser.parser import Parser  # noqa: PLC0415
        from samtranslator.translator.translator import Translator  # noqa: PLC0415
    except ImportError as error:
        raise ValidationError(
            f"Transform {SERVERLESS} needs a package that is not installed here. "
            "Run: pip install 'lambdad[cloudformation]', and restart lambdad."
        ) from error
    # SAM evaluates parameters in its own way and wants a region; it calls nothing with the session.
    session = boto3.session.Session(
        region_name=region,
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - nothing is signed with it
    )
    try:
        found = Translator(_managed_policies(document), Parser(), boto_session=session).translate(
            document, dict(values)
        )
    except InvalidDocumentException as error:
        causes = ". ".join(cause.message for cause in error.causes)
        raise ValidationError(
            f"Transform {SERVERLESS} failed with: Invalid Serverless Application Specification "
            f"document. Number of errors found: {len(error.causes)}. {causes}"
        ) from error
    return dict(found)


def _managed_policies(document: Mapping[str, Any]) -> dict[str, str]:
    """Return ARNs of AWS's managed policies that a template mentions by their bare names."""
    found: dict[str, str] = {}
    for resource in (document.get("Resources") or {}).values():
        properties = resource.get("Properties") if isinstance(resource, dict) else None
        policies = (properties or {}).get("Policies") if isinstance(properties, dict) else None
        for policy in policies if isinstance(policies, list) else [policies]:
            if isinstance(policy, str) and ":" not in policy:
                service_role = policy.startswith("AWSLambda") and policy.endswith("Role")
                path = "service-role/" if service_role else ""
                found[policy] = f"{_MANAGED}{path}{policy}"
    return found
