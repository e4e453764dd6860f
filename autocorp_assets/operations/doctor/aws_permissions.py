"""What the caller may do, as IAM's policy simulator says: no call shows that beforehand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from autocorp_assets.operations.doctor.aws_account import account_of, caller_arn
from autocorp_assets.operations.doctor.finding import Finding, failure, ok, warning
from autocorp_assets.operations.doctor.running import DENIED
from autocorp_assets.resources.aws.clients import client, error_code, explain
from autocorp_assets.resources.aws.permissions import Permission, permissions
from autocorp_assets.settings import Settings

ANYTHING, SIX_CHARACTERS = "autocorp-doctor", "AbCdEf"
"""What a pattern's wildcards stand for in the simulated resource."""
SUBJECT = "permissions"
ONLY_DOCTOR = "doctor"


def simulated(settings: Settings) -> Iterator[Finding]:
    """One finding for each component that lacks something, none of them looked at otherwise."""
    arn, iam = caller_arn(), client("iam")
    if arn.endswith(":root"):
        yield warning(SUBJECT, "the account's root may do everything", "use a role with only what is needed")
        return
    wanted = permissions(settings.aws, account_of(arn))
    principal = principal_of(arn)
    denied: defaultdict[str, list[str]] = defaultdict(list)
    try:
        for permission in wanted:
            denied[permission.component] += _denied(principal, permission)
    except iam.exceptions.ClientError as error:
        if error_code(error) not in (*DENIED, "NoSuchEntity"):
            raise
        remedy = "let the role call iam:SimulatePrincipalPolicy on itself, or compare its policy with the documentation"
        yield warning(SUBJECT, f"cannot be told beforehand: {explain(error)}", remedy)
        return
    lacking = {component: actions for component, actions in denied.items() if actions}
    for component, actions in lacking.items():
        told = warning if component == ONLY_DOCTOR else failure
        yield told(f"{SUBJECT}: {component}", f"{principal} may not {', '.join(actions)}", "add them to its policy")
    if not lacking:
        actions = {action for permission in wanted for action in permission.actions}
        yield ok(SUBJECT, f"{principal} may do all {len(actions)} things that the deployment does")


def principal_of(arn: str) -> str:
    """The role behind a session, else the caller itself: sessions have no policies to simulate."""
    parts = arn.split(":", 5)
    if not parts[5].startswith("assumed-role/"):
        return arn
    name, iam = parts[5].split("/")[1], client("iam")
    try:
        return iam.get_role(RoleName=name)["Role"]["Arn"]  # a role may have a path, which the session does not tell
    except iam.exceptions.ClientError:
        return f"arn:{parts[1]}:iam::{parts[4]}:role/{name}"


def _denied(principal: str, permission: Permission) -> list[str]:
    """Actions that are not allowed on each of the resources."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in permission.condition.items()
    ]
    pages = (
        client("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(
            PolicySourceArn=principal,
            ActionNames=list(permission.actions),
            ResourceArns=[example_of(resource) for resource in permission.resources],
            ContextEntries=entries,
        )
    )
    return [
        result["EvalActionName"]
        for page in pages
        for result in page["EvaluationResults"]
        if any(one != "allowed" for one in _decisions(result))
    ]


def _decisions(result: dict) -> list[str]:
    """Of each resource; the one of all where IAM does not tell them apart."""
    each = [one["EvalResourceDecision"] for one in result.get("ResourceSpecificResults") or []]
    return each or [result["EvalDecision"]]


def example_of(resource: str) -> str:
    """A resource that the pattern means: the simulator takes wildcards for themselves."""
    if resource == "*":
        return resource
    return resource.replace("??????", SIX_CHARACTERS).replace("*", ANYTHING)
