"""What is wrong with the settings, in the operator's words: which variable, what it is for, how to set it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

LONGEST_VALUE = 60
"""Characters of a value that are repeated."""


class SettingsError(RuntimeError):
    """A setting is missing or cannot be used; the message names its variable and says what to do."""


def told(error: ValidationError, fields: Mapping[str, FieldInfo], prefix: str) -> str:
    """All that is wrong, one setting after the other; secrets are not repeated.

    Args:
        error: as pydantic found it.
        fields: of the settings by name, with their docstrings as descriptions.
        prefix: of the variables' names.
    """
    return "\n".join(_told(detail, fields, prefix) for detail in error.errors(include_url=False))


def _told(detail: ErrorDetails, fields: Mapping[str, FieldInfo], prefix: str) -> str:
    if not detail["loc"]:
        return _reason(detail)
    name = str(detail["loc"][0]).lower().removeprefix(prefix.lower())
    variable, field = f"{prefix}{name}".upper(), fields.get(name)
    if detail["type"] == "missing":
        said = f"{variable} is not set"
    else:
        said = f"{variable}{_value(detail, field)} cannot be used: {_reason(detail)}"
    if field is None:
        return said
    purpose = " ".join((field.description or "").split())
    return "\n    ".join([said, *([f"What it is: {purpose}"] if purpose else []), _how(variable, name, field)])


def _reason(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _value(detail: ErrorDetails, field: FieldInfo | None) -> str:
    value = detail["input"]
    if field is None or "Secret" in str(field.annotation) or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return f"={text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '…'}"


def _how(variable: str, name: str, field: FieldInfo) -> str:
    example: Any = (field.examples or [None])[0]
    if example is None:
        example = field.default if isinstance(field.default, str | int) else "…"
    says = f"Set it: export {variable}='{example}'"
    if not variable.startswith("AUTOCORP_AWS_") or name == "parameters":
        return says
    return f"{says}, or as parameter <path>/{name} of SSM with AUTOCORP_AWS_PARAMETERS=<path>"
