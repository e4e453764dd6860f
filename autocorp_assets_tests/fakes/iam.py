"""IAM's policy simulator on moto, which has none.

After botocore's model of SimulatePrincipalPolicy: a decision for each action, and for each resource below it; an
explicit deny wins, and what no statement allows is denied implicitly. Only what identity policies of users and roles
say in Action, Resource and StringEquals; no boundaries, no policies of organisations or resources.

Callers with keys that moto did not give are `user/moto` to its STS: a user of that name stands for them here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

CALLER = "moto"
"""Name of the user that STS says who calls is."""


def simulate_principal_policy(self: IamResponse) -> ActionResult:
    source = self._get_param("PolicySourceArn")
    statements = list(_statements(self.backend, source))
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in self._get_param("ContextEntries", [])}
    resources = self._get_param("ResourceArns", ["*"])
    results = [_result(statements, action, resources, context) for action in self._get_param("ActionNames", [])]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def decision(
    statements: Sequence[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, Sequence[str]]
) -> str:
    """As the documentation of policy evaluation has it."""
    effects = {one["Effect"] for one in statements if _concerns(one, action, resource, context)}
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"


def _result(
    statements: Sequence[Mapping[str, Any]], action: str, resources: Sequence[str], context: Mapping[str, Any]
) -> dict[str, Any]:
    each = {resource: decision(statements, action, resource, context) for resource in resources}
    worst = next((found for found in each.values() if found != "allowed"), "allowed")
    specific = [
        {"EvalResourceName": resource, "EvalResourceDecision": found, "MatchedStatements": []}
        for resource, found in each.items()
    ]
    return {
        "EvalActionName": action,
        "EvalResourceName": "*",
        "EvalDecision": worst,
        "MatchedStatements": [],
        "MissingContextValues": [],
        "ResourceSpecificResults": specific,
    }


def _concerns(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, Sequence[str]]) -> bool:
    wanted = statement.get("Condition", {}).get("StringEquals", {})
    return (
        any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(set(_listed(values)) & set(context.get(key, ())) for key, values in wanted.items())
    )


def _statements(backend: IAMBackend, source: str) -> Iterator[Mapping[str, Any]]:
    kind, name = source.rsplit(":", 1)[-1].split("/", 1)[0], source.rsplit("/", 1)[-1]
    if kind not in ("user", "role"):
        raise NotFoundException(f"The entity {source} cannot be found.")
    found: Any = backend.get_user(name) if kind == "user" else backend.get_role(name)
    inline = found.policies
    documents = list(inline.values()) if isinstance(inline, dict) else [one["policy_document"] for one in inline]
    documents += [policy.document for policy in found.managed_policies.values()]
    for document in documents:
        yield from _listed(json.loads(document)["Statement"])


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def install() -> None:
    IamResponse.simulate_principal_policy = simulate_principal_policy  # ty: ignore[missing-attribute]
